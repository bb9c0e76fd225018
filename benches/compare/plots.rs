//! The plots, as SVG: the curves, and the comparison of all works.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::{
    coord::Shift,
    prelude::{
        BLACK, ChartBuilder, Circle, DrawingArea, EmptyElement, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor,
        SVGBackend, SeriesLabelPosition, Text, WHITE,
    },
    style::{Color, IntoFont, ShapeStyle},
};

use super::{
    backends::Kind,
    report::{Curve, Report, Shown, quantity, significant},
};

/// Colours that everybody can tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 9] = [
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(240, 228, 66),
    RGBColor(86, 180, 233),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(120, 120, 120),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
];
const FONT: &str = "sans-serif";
/// How far the axis of the summary continues after the last point, to leave room for the legend.
const ROOM: f64 = 60.0;

fn colour(backend: &str) -> RGBColor {
    let at = Kind::ALL.iter().position(|kind| kind.name() == backend).unwrap_or(0);
    COLOURS[at % COLOURS.len()]
}

/// Draws a curve: both axes are logarithmic, so that a straight line is a power.
pub fn curve(folder: &Path, curve: &Curve) -> Result<()> {
    let path = folder.join(format!("{}.svg", curve.file));
    let area = SVGBackend::new(&path, (760, 460)).into_drawing_area();
    draw_curve(&area, curve).map_err(|error| anyhow!("{}: {error}", path.display()))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_curve(area: &DrawingArea<SVGBackend, Shift>, curve: &Curve) -> Drawn {
    area.fill(&WHITE)?;
    // A logarithmic axis has no zero, so a point at zero is drawn at its beginning.
    let smallest = curve.points.iter().map(|(_, x, _)| *x).filter(|&x| x > 0.0).fold(f64::INFINITY, f64::min);
    let at = |x: f64| if x > 0.0 { x } else { smallest / 2.0 };
    let (left, right) = bounds(curve.points.iter().map(|(_, x, _)| at(*x)));
    let (low, high) = bounds(curve.points.iter().map(|(.., y)| *y));
    let mut chart = ChartBuilder::on(area)
        .caption(curve.title, (FONT, 20))
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(76)
        .build_cartesian_2d((left..right).log_scale(), (low / 1.5..high * 1.5).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(curve.quantity)
        .x_label_formatter(&|x| significant(*x))
        .y_label_formatter(&|y| quantity(curve.unit, *y))
        .light_line_style(WHITE)
        .label_style((FONT, 13))
        .draw()?;
    for kind in Kind::ALL {
        let points: Vec<_> = curve.points.iter().filter(|(name, ..)| name == kind.name()).map(|(_, x, y)| (at(*x), *y)).collect();
        if points.is_empty() {
            continue;
        }
        let style = colour(kind.name()).stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(kind.name())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, style.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 13))
        .draw()?;
    area.present()?;
    Ok(())
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low < high { (low, high) } else { (low / 2.0, low * 2.0) }
}

/// Draws how many times worse than Offshoot the others are at each work of the summary, with a point for each.
pub fn summary(path: &Path, report: &Report) -> Result<()> {
    let works = report.works(&[Shown::Summary]);
    let height = u32::try_from(works.len())? * 30 + 110;
    let area = SVGBackend::new(path, (1180, height)).into_drawing_area();
    draw_summary(&area, report, &works).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn draw_summary(area: &DrawingArea<SVGBackend, Shift>, report: &Report, works: &[&str]) -> Drawn {
    area.fill(&WHITE)?;
    let mut points = Vec::new();
    for (at, work) in works.iter().enumerate() {
        let Some(baseline) = report.baseline(work) else { continue };
        for (_, row) in report.rows.iter().filter(|(_, row)| row.work == *work) {
            #[expect(clippy::cast_precision_loss, reason = "a row of a plot")]
            points.push((row.times_worse_than(baseline), at as f64, row.backend.as_str()));
        }
    }
    let (low, high) = bounds(points.iter().map(|(times, ..)| *times).chain([0.5, 2.0]));
    #[expect(clippy::cast_precision_loss, reason = "a row of a plot")]
    let rows = works.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption("Times worse than Offshoot: slower, larger, or fewer in a second", (FONT, 18))
        .margin(14)
        .margin_left(450)
        .margin_right(24)
        .x_label_area_size(34)
        .build_cartesian_2d((low / 1.3..high * ROOM).log_scale(), rows - 0.5..-0.5)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_label_formatter(&|times| format!("{} x", significant(*times)))
        .light_line_style(WHITE)
        .label_style((FONT, 13))
        .draw()?;
    chart.draw_series([PathElement::new(vec![(1.0, -0.5), (1.0, rows - 0.5)], BLACK.stroke_width(1))])?;
    for kind in Kind::ALL {
        let of_kind: Vec<_> = points.iter().filter(|(.., backend)| *backend == kind.name()).collect();
        if of_kind.is_empty() {
            continue;
        }
        let style = ShapeStyle::from(colour(kind.name())).filled();
        chart
            .draw_series(of_kind.into_iter().map(|&(times, at, _)| Circle::new((times, at), 5, style)))?
            .label(kind.name())
            .legend(move |(x, y)| Circle::new((x + 9, y), 5, style));
    }
    let edge = low / 1.3;
    chart.draw_series(works.iter().enumerate().map(|(at, work)| {
        #[expect(clippy::cast_precision_loss, reason = "a row of a plot")]
        let place = (edge, at as f64);
        let text = work.replace('`', "");
        EmptyElement::at(place) + Text::new(text, (-440, -7), (FONT, 14).into_font())
    }))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 13))
        .draw()?;
    area.present()?;
    Ok(())
}
