//! PNG files, as R writes them.

use std::io::Read;

/// Width and height of a PNG (PNG specification, section 11.2.2), which has to be complete.
#[track_caller]
pub fn png_size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "this is no PNG of {} bytes", png.len());
    assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
    (number(png, 16), number(png, 20))
}

/// The pixels of a PNG, each as red, green and blue: `pixels[y][x]`. It has 8 bits for each, or a palette, and is not interlaced.
#[track_caller]
pub fn png_pixels(png: &[u8]) -> Vec<Vec<[u8; 3]>> {
    let (width, _) = png_size(png);
    assert_eq!((png[24], png[28]), (8, 0), "R writes 8 bits, not interlaced");
    let has_palette = png[25] == 3;
    let step = match png[25] {
        2 => 3,
        3 => 1,
        6 => 4,
        other => panic!("R writes no colours of type {other}"),
    };
    let (mut palette, mut packed, mut at) = (&[][..], Vec::new(), 8);
    while at < png.len() {
        let content = &png[at + 8..at + 8 + number(png, at) as usize];
        match &png[at + 4..at + 8] {
            b"PLTE" => palette = content,
            b"IDAT" => packed.extend_from_slice(content),
            _ => {}
        }
        at += 12 + content.len();
    }
    let mut lines = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut lines).unwrap();
    let mut above = vec![0; width as usize * step];
    let mut pixels = Vec::new();
    for line in lines.chunks(1 + above.len()) {
        above = unfiltered(line[0], &line[1..], &above, step);
        let colour = |pixel: &[u8]| if has_palette { &palette[3 * usize::from(pixel[0])..] } else { pixel }[..3].try_into().unwrap();
        pixels.push(above.chunks(step).map(colour).collect());
    }
    pixels
}

/// The bytes of a line, of which each was written as the difference from a guess (section 9.2).
fn unfiltered(filter: u8, line: &[u8], above: &[u8], step: usize) -> Vec<u8> {
    let mut bytes = Vec::<u8>::new();
    for (at, byte) in line.iter().enumerate() {
        let [left, corner] = if at < step { [0, 0] } else { [bytes[at - step], above[at - step]] }.map(i16::from);
        let up = i16::from(above[at]);
        let guess = match filter {
            0 => 0,
            1 => left,
            2 => up,
            3 => i16::midpoint(left, up),
            _ => *[left, up, corner].iter().min_by_key(|neighbour| (left + up - corner - **neighbour).abs()).unwrap(),
        };
        bytes.push(byte.wrapping_add(u8::try_from(guess).unwrap()));
    }
    bytes
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}
