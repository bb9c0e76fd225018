//! Values as the client's list of variables shows them, and its grid (contract, sections b.10 and h).

use serde_json::{Value, json};

use super::{
    client::{Client, shared},
    debugger::Debugger,
};

/// The fields of a description, all that clients know.
const ALL: &str =
    "base::c('expression', 'kind', 'type', 'classes', 'length', 'slot_count', 'attr_count', 'name_count', 'dim', 'flags', 'to_csv')";

/// No fields.
const NONE: &str = "base::c()";

const DEPARSE: &str = "rtvs:::make_repr_deparse()";

/// Describes the value of code in the workspace.
async fn describe(client: &mut Client, code: &str, fields: &str, repr: &str) -> Value {
    client.value(&format!("rtvs:::eval_and_describe({code:?}, (base::.GlobalEnv),, {fields},, {repr})")).await
}

/// Describes what is in the value of code, in the order in which it came.
async fn children(client: &mut Client, code: &str, place: &str, fields: &str) -> Vec<(String, Value)> {
    let children = client.value(&format!("rtvs:::describe_children({code:?}, {place}, {fields}, , {DEPARSE})")).await;
    flat(&children)
}

/// Names and descriptions. Each came in an object of its own.
fn flat(children: &Value) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for child in children.as_array().unwrap() {
        let child = child.as_object().unwrap();
        assert_eq!(child.len(), 1, "{child:?}");
        flat.extend(child.iter().map(|(name, about)| (name.clone(), about.clone())));
    }
    flat
}

/// The description of the only child with this name.
fn child<'a>(children: &'a [(String, Value)], name: &str) -> &'a Value {
    let mut found = children.iter().filter(|(own, _)| own == name);
    let (first, second) = (found.next(), found.next());
    assert!(second.is_none(), "{children:?}");
    &first.unwrap_or_else(|| panic!("no {name} in {children:?}")).1
}

#[tokio::test]
async fn values_are_texts_in_three_ways() {
    let (mut client, _) = Client::at_prompt(shared(), "texts").await;
    let control = r#"'\'\"\n\r\t\b\a\f\v\\\001'"#;
    let controls = r#""'\"\n\r\t\b\a\f\v\\\001""#;
    for (code, deparsed, structured, joined) in [
        ("NULL", "NULL", " NULL", ""),
        ("TRUE", "TRUE", "TRUE", "TRUE"),
        ("FALSE", "FALSE", "FALSE", "FALSE"),
        ("NA", "NA", "NA", "NA"),
        ("NA_integer_", "NA_integer_", "NA", "NA"),
        ("NA_real_", "NA_real_", "NA", "NA"),
        ("NA_complex_", "NA_complex_", "NA", "NA"),
        ("NA_character_", "NA_character_", "NA", "NA"),
        ("+Inf", "Inf", "Inf", "Inf"),
        ("-Inf", "-Inf", "-Inf", "-Inf"),
        ("NaN", "NaN", "NaN", "NaN"),
        ("-NaN", "NaN", "NaN", "NaN"),
        ("+0", "0", "0", "0"),
        ("-0", "0", "0", "0"),
        ("0L", "0L", "0", "0"),
        ("42", "42", "42", "42"),
        ("42L", "42L", "42", "42"),
        ("-42L", "-42L", "-42", "-42"),
        ("42.24", "42.24", "42.2", "42.24"),
        ("-0.42", "-0.42", "-0.42", "-0.42"),
        ("4.2e10", "4.2e+10", "4.2e+10", "4.2e+10"),
        ("-4.2e-10", "-4.2e-10", "-4.2e-10", "-4.2e-10"),
        ("0i", "0+0i", "0+0i", "0+0i"),
        ("4+2i", "4+2i", "4+2i", "4+2i"),
        ("-4.2-2.4i", "-4.2-2.4i", "-4.2-2.4i", "-4.2-2.4i"),
        ("''", "\"\"", "\"\"", ""),
        ("'abc'", "\"abc\"", "\"abc\"", "abc"),
        (control, controls, controls, "'\"\n\r\t\u{8}\u{7}\u{c}\u{b}\\\u{1}"),
        ("'Ûñïçôdè ≠ 日本語'", "\"Ûñïçôdè ≠ 日本語\"", "\"Ûñïçôdè ≠ 日本語\"", "Ûñïçôdè ≠ 日本語"),
        ("quote(sym)", "sym", "sym", "sym"),
        ("1:3", "1:3", " int [1:3] 1 2 3", "1, 2, 3"),
        (
            "factor(c('a', 'b'))",
            "structure(1:2, levels = c(\"a\", \"b\"), class = \"factor\")",
            " Factor w/ 2 levels \"a\",\"b\": 1 2",
            "a, b",
        ),
        ("function(x) x + 1", "function (x) \nx + 1", "function (x)  ", "function (x) \nx + 1"),
        ("quote(a + b)", "a + b", " language a + b", "+, a, b"),
        ("globalenv()", "<environment>", "<environment: R_GlobalEnv> ", "<environment>"),
    ] {
        for (repr, expected) in [(DEPARSE, deparsed), ("rtvs:::make_repr_str(, , NULL)", structured), ("rtvs:::repr_toString", joined)] {
            let about = describe(&mut client, code, NONE, repr).await;
            assert_eq!(about["repr"], expected, "{code}: {repr}");
        }
    }
}

#[tokio::test]
async fn texts_are_no_longer_than_wanted() {
    let (mut client, _) = Client::at_prompt(shared(), "bounded").await;
    let whole = describe(&mut client, "as.double(1:100)", NONE, DEPARSE).await["repr"].as_str().unwrap().to_owned();
    let cut = describe(&mut client, "as.double(1:100)", NONE, "rtvs:::make_repr_deparse(50)").await;
    assert_eq!(cut["repr"], whole[..53]);
    let whole =
        describe(&mut client, "as.double(1:100)", NONE, "rtvs:::make_repr_str(, , NULL)").await["repr"].as_str().unwrap().to_owned();
    let cut = describe(&mut client, "as.double(1:100)", NONE, "rtvs:::make_repr_str(10, , \"!!!\")").await;
    assert_eq!(cut["repr"], format!("{}!!!", &whole[..7]));
    client.value("large <- runif(1e6); long <- strrep('x', 1e6); deep <- list(); for (i in 1:200) deep <- list(deep); NULL").await;
    for code in ["large", "long", "deep", "as.list(1:1e5)", "mtcars", "lm(mpg ~ wt, mtcars)", "asNamespace('stats')", "stats::lm"] {
        for repr in ["rtvs:::make_repr_deparse(100)", "rtvs:::make_repr_str(100, 200)"] {
            let about = describe(&mut client, code, ALL, repr).await;
            let length = about["repr"].as_str().unwrap().chars().count();
            assert!((1..=600).contains(&length), "{code}: {length}");
        }
    }
    // All that a package has, of which little was evaluated yet.
    let package = children(&mut client, "as.environment(\"package:stats\")", "base::.GlobalEnv", ALL).await;
    assert!(package.len() > 400 && child(&package, "sd")["expression"] == "as.environment(\"package:stats\")$sd");
    let few = client.value("rtvs:::describe_children('large', .GlobalEnv, base::c('length'), 3, rtvs:::make_repr_str(100))").await;
    assert_eq!(flat(&few).len(), 3);
}

#[tokio::test]
async fn values_have_types_classes_and_counts() {
    let (mut client, _) = Client::at_prompt(shared(), "fields").await;
    client.value("points <- setClass('Points', slots = list(x = 'numeric')); counter <- setRefClass('Counter', fields = list(n = 'numeric')); NULL").await;
    for (code, kind, classes, counts, flags) in [
        ("NULL", "NULL", json!(["NULL"]), [0, 0, 0, 0], json!(["atomic"])),
        ("1:3", "integer", json!(["integer"]), [3, 0, 0, 0], json!(["atomic"])),
        ("c(a = 1)", "double", json!(["numeric"]), [1, 0, 1, 1], json!(["atomic"])),
        ("factor('a')", "integer", json!(["factor"]), [1, 0, 2, 0], json!(["atomic"])),
        ("mtcars", "list", json!(["data.frame"]), [11, 0, 3, 11], json!(["recursive"])),
        ("Sys.time()", "double", json!(["POSIXct", "POSIXt"]), [1, 0, 1, 0], json!(["atomic"])),
        ("new.env()", "environment", json!(["environment"]), [0, 0, 0, 0], json!(["recursive", "has_parent_env"])),
        ("function() 1", "closure", json!(["function"]), [1, 0, 0, 0], json!(["recursive"])),
        ("quote(x)", "symbol", json!(["name"]), [1, 0, 0, 0], json!([])),
        ("quote(f(x))", "language", json!(["call"]), [2, 0, 0, 0], json!(["recursive"])),
        ("points(x = 1)", "S4", json!(["Points"]), [1, 1, 2, 0], json!([])),
    ] {
        let about = describe(&mut client, code, ALL, "NULL").await;
        assert_eq!((&about["expression"], &about["type"], &about["classes"]), (&json!(code), &json!(kind), &classes), "{about}");
        let counted = ["length", "slot_count", "attr_count", "name_count"].map(|field| about[field].as_i64().unwrap());
        assert_eq!((counted, &about["flags"]), (counts, &flags), "{about}");
        assert!(about.get("repr").is_none() && about.get("kind").is_none() && about.get("promise").is_none(), "{about}");
    }
    let object = describe(&mut client, "counter$new(n = 1)", ALL, DEPARSE).await;
    assert_eq!((&object["type"], &object["classes"][0]), (&json!("S4"), &json!("Counter")), "{object}");
    let table = describe(&mut client, "mtcars", "base::c('dim', 'to_csv')", "NULL").await;
    assert_eq!(table, json!({ "dim": [32, 11], "to_csv": true }));
    assert_eq!(describe(&mut client, "1", NONE, "NULL").await, json!({}));
    let wrong = describe(&mut client, "never_defined", ALL, DEPARSE).await;
    assert!(wrong["error"].as_str().unwrap().contains("never_defined") && wrong["expression"] == "never_defined", "{wrong}");
    // Classes whose methods fail.
    client.value("length.broken <- function(x) stop('no'); print.broken <- length.broken; str.broken <- length.broken; toString.broken <- function(x, ...) stop('no'); NULL").await;
    for repr in [DEPARSE, "rtvs:::make_repr_str(100)", "rtvs:::repr_toString"] {
        let about = describe(&mut client, "structure(list(1), class = 'broken')", ALL, repr).await;
        assert!(about["repr"].is_string() && about["length"] == 0, "{about}");
    }
}

#[tokio::test]
async fn what_is_in_a_value_has_names_that_are_code() {
    let (mut client, _) = Client::at_prompt(shared(), "children").await;
    let named = [("[[1]]", "1"), ("$x", "2"), ("[[3]]", "3"), ("$`y \\n z`", "4"), ("[[5]]", "5")];
    let slots = "setClass('C', slots = list(x = 'numeric', `y \\n z` = 'logical'))(x = 1, `y \\n z` = NA)";
    let both = "setClass('D', contains = 'list', slots = list(y = 'numeric'))(list(x = 1), y = 2)";
    for (code, expected) in [
        ("NULL", &[][..]),
        ("NA_character_", &[]),
        ("42i", &[]),
        ("quote(sym)", &[]),
        ("TRUE[FALSE]", &[]),
        ("list()", &[]),
        ("pairlist()", &[]),
        ("as.environment(list())", &[]),
        ("function(x) x", &[]),
        ("c(TRUE, FALSE, NA)", &[("[[1]]", "TRUE"), ("[[2]]", "FALSE"), ("[[3]]", "NA")]),
        ("c(1L, NA)", &[("[[1]]", "1L"), ("[[2]]", "NA_integer_")]),
        ("c(1i, NA_complex_)", &[("[[1]]", "0+1i"), ("[[2]]", "NA_complex_")]),
        ("c('1', NA)", &[("[[1]]", "\"1\""), ("[[2]]", "NA_character_")]),
        (
            "c(1, x = 2, 3, `y \\n z` = 4, x = 5)",
            &[("[[1]]", "1"), ("[[\"x\"]]", "2"), ("[[3]]", "3"), ("[[\"y \\n z\"]]", "4"), ("[[5]]", "5")],
        ),
        ("c(x = 1)", &[("[[\"x\"]]", "1")]),
        ("list(1, NULL, list())", &[("[[1]]", "1"), ("[[2]]", "NULL"), ("[[3]]", "list()")]),
        ("list(1, x = 2, 3, `y \\n z` = 4, x = 5)", &named),
        ("pairlist(1, x = 2, 3, `y \\n z` = 4, x = 5)", &named),
        ("data.frame(a = 1:2, b = c('x', 'y'))", &[("$a", "1:2"), ("$b", "c(\"x\", \"y\")")]),
        (slots, &[("@x", "1"), ("@`y \\n z`", "NA")]),
        (both, &[("@.Data", "list(1)"), ("@y", "2"), ("$x", "1")]),
        ("quote(f(x))", &[("[[1]]", "f"), ("[[2]]", "x")]),
    ] {
        client.value(&format!("PARENT <- {{{code}}}; NULL")).await;
        let told = children(&mut client, "PARENT", "base::.GlobalEnv", ALL).await;
        let found: Vec<_> = told.iter().map(|(name, about)| (name.as_str(), about["repr"].as_str().unwrap())).collect();
        assert_eq!(found, expected, "{code}");
        for (name, about) in &told {
            let expression = about["expression"].as_str().unwrap();
            assert_eq!(expression, format!("PARENT{name}"));
            let kind = about["kind"].as_str().unwrap();
            assert!(name.starts_with(kind), "{about}");
            // The client asks by it for what is in there.
            let again = describe(&mut client, expression, ALL, DEPARSE).await;
            assert_eq!(again["repr"], about["repr"], "{expression}");
        }
    }
    // Parts of what is no name.
    let told = children(&mut client, "1:2 + 1", "base::.GlobalEnv", ALL).await;
    assert_eq!(child(&told, "[[2]]")["expression"], "(1:2 + 1)[[2]]");
    client.value("`123` <- list(`name with spaces` = 42); NULL").await;
    let told = children(&mut client, "base::environment()", "base::.GlobalEnv", ALL).await;
    assert_eq!(child(&told, "`123`")["expression"], "`123`");
    let told = children(&mut client, "`123`", "base::.GlobalEnv", ALL).await;
    assert_eq!(child(&told, "$`name with spaces`")["expression"], "`123`$`name with spaces`");
    client.value("PARENT <- as.environment(list(x = 1, `y \\n z` = NA, n = NULL, e = .GlobalEnv, .h = 0)); NULL").await;
    let told = children(&mut client, "PARENT", "base::.GlobalEnv", ALL).await;
    for (name, text) in [("x", "1"), ("`y \\n z`", "NA"), ("n", "NULL"), ("e", "<environment>"), (".h", "0")] {
        let about = child(&told, name);
        assert_eq!((&about["repr"], &about["expression"]), (&json!(text), &json!(format!("PARENT${name}"))));
    }
    client.value("counter <- setRefClass('Counter', fields = list(n = 'numeric'))$new(n = 3); NULL").await;
    // Such a class sees to the types of its fields when they are set.
    let told = children(&mut client, "counter", "base::.GlobalEnv", "base::c('computed_value')").await;
    assert_eq!(child(&told, "n"), &json!({ "active_binding": true, "computed_value": { "repr": "3" } }));
}

#[tokio::test]
async fn nothing_in_an_environment_is_evaluated_to_show_it() {
    let (mut client, _) = Client::at_prompt(shared(), "lazy").await;
    client
        .value(
            "runs <- 0; e <- new.env(); for (where in list(e, globalenv())) {
            delayedAssign('late', { runs <<- runs + 1; 1 + 2 }, assign.env = where)
            delayedAssign('sum', 1 + 2, assign.env = where)
            makeActiveBinding('active', function() { runs <<- runs + 1; 42 }, where)
            makeActiveBinding('fails', function() stop('no'), where)
            makeActiveBinding('count', function() 7, where)
        }; NULL",
        )
        .await;
    for (code, prefix) in [("e", "e$"), ("base::environment()", "")] {
        let told = children(&mut client, code, "base::.GlobalEnv", "base::c('expression')").await;
        assert_eq!(child(&told, "sum"), &json!({ "promise": "1 + 2", "expression": format!("{prefix}sum") }), "{code}");
        assert!(child(&told, "late")["promise"].as_str().unwrap().contains("runs <<- runs + 1"), "{code}");
        assert_eq!(child(&told, "active"), &json!({ "active_binding": true, "expression": format!("{prefix}active") }));
        assert_eq!(client.value("runs").await, 0);
        // Their values, if they are asked for.
        let told = children(&mut client, code, "base::.GlobalEnv", "base::c('computed_value')").await;
        assert_eq!(child(&told, "count"), &json!({ "active_binding": true, "computed_value": { "repr": "7" } }));
        assert_eq!(child(&told, "fails"), &json!({ "active_binding": true }));
        assert_eq!(child(&told, "sum"), &json!({ "promise": "1 + 2" }));
        client.value("runs <- 0").await;
        // Later clients have an argument for it.
        for (wanted, value) in [("TRUE", json!({ "repr": "7" })), ("FALSE", Value::Null)] {
            let call =
                format!("rtvs:::describe_children({code:?}, base::.GlobalEnv, {NONE}, , {DEPARSE}, evaluateActiveBindings = {wanted})");
            let told = flat(&client.value(&call).await);
            assert_eq!(child(&told, "count")["computed_value"], value);
        }
        client.value("runs <- 0").await;
    }
    assert_eq!(client.value("c(late, runs)[[2]]").await, 1);
    let told = children(&mut client, "base::environment()", "base::.GlobalEnv", NONE).await;
    assert_eq!(child(&told, "late"), &json!({ "repr": "3" }));
}

#[tokio::test]
async fn what_a_function_has_is_shown_while_it_waits() {
    let mut debugger = Debugger::new("frame").await;
    let code = "f <- function(p, d, ..., missed) {\n  v <- 42\n  makeActiveBinding('a', function() 43, environment())\n  force(d)\n  browser()\n  force(p)\n  browser()\n}\nf(1 + 2, 'given', 3)\n";
    let frames = debugger.source("frame.R", code).await;
    let place = frames.last().unwrap().place();
    let told = children(&mut debugger.client, "base::environment()", &place, "base::c('expression', 'computed_value')").await;
    assert_eq!(child(&told, "p"), &json!({ "promise": "1 + 2", "expression": "p" }));
    assert_eq!(child(&told, "d"), &json!({ "repr": "\"given\"", "expression": "d" }));
    assert_eq!(child(&told, "v")["repr"], "42");
    assert_eq!(child(&told, "a")["computed_value"]["repr"], "43");
    assert_eq!(child(&told, "..."), &json!({ "promise": "...", "expression": "..." }));
    assert!(told.iter().all(|(name, _)| name != "missed"), "{told:?}");
    let described = format!("rtvs:::eval_and_describe(\"v + 1\", ({place}),, {NONE},, {DEPARSE})");
    assert_eq!(debugger.client.value(&described).await, json!({ "repr": "43" }));
    debugger.types("c").await;
    let told = children(&mut debugger.client, "base::environment()", &place, NONE).await;
    assert_eq!(child(&told, "p"), &json!({ "repr": "3" }));
    assert_eq!(debugger.types("Q").await, []);
    // A promise of several lines is as its value would be.
    let code = "f <- function(p, d) {\n  force(d)\n  browser()\n}\nx <- quote({{{}}})\neval(substitute(f(P, x), list(P = x)))\n";
    let frames = debugger.source("lines.R", code).await;
    let told = children(&mut debugger.client, "base::environment()", &frames.last().unwrap().place(), NONE).await;
    assert_eq!(child(&told, "p")["promise"], child(&told, "d")["repr"]);
    assert_eq!(debugger.types("Q").await, []);
    // The workspace.
    debugger.does("rm(list = ls(all.names = TRUE))").await;
    let frames = debugger.source("workspace.R", "x <- 1; y <- 2; browser()\n").await;
    let place = frames.last().unwrap().place();
    let told = children(&mut debugger.client, "base::environment()", &place, NONE).await;
    assert_eq!(told, [("x".to_owned(), json!({ "repr": "1" })), ("y".to_owned(), json!({ "repr": "2" }))]);
    // The names alone.
    let names = format!("rtvs:::describe_children('base::environment()', {place}, {NONE}, , NULL, evaluateActiveBindings = FALSE)");
    assert_eq!(debugger.client.value(&names).await, json!([{ "x": {} }, { "y": {} }]));
    let whole =
        debugger.client.value(&format!("rtvs:::eval_and_describe('base::environment()', ({place}),, base::c('length'),, NULL)")).await;
    assert_eq!(whole, json!({ "length": 2 }));
}

#[tokio::test]
async fn the_grid_has_windows_of_tables_in_any_order() {
    let (mut client, _) = Client::at_prompt(shared(), "grid").await;
    client.value("t <- data.frame(n = c(2.5, 10, NA), s = c('b', 'a', 'c'), row.names = c('one', 'two', 'three')); NULL").await;
    assert_eq!(
        client.value("rtvs:::grid_data(t, 1:2, 1:2, )").await,
        json!({
            "is_1d": false, "row.start": 1, "row.count": 2, "row.names": ["one", "two"],
            "col.start": 1, "col.count": 2, "col.names": ["n", "s"], "data": ["2.5", "10.0", "b", "a"],
        })
    );
    // Beyond the end, and in the order of columns.
    let sorted = client.value("rtvs:::grid_data(t, 1:99, 1:2, function(x) rtvs:::grid_order(x, 2))").await;
    assert_eq!((&sorted["data"], &sorted["row.names"]), (&json!(["10.0", "2.5", "NA", "a", "b", "c"]), &json!(["two", "one", "three"])));
    let down = client.value("rtvs:::grid_data(t, 1:1, 1:1, function(x) rtvs:::grid_order(x, -1, 2))").await;
    assert_eq!((&down["data"], &down["row.names"]), (&json!(["10"]), &json!(["two"])));
    let flat = client.value("rtvs:::grid_data(c(a = 1L, b = 20L), 1:2, 1:1, function(x) rtvs:::grid_order(x, -1))").await;
    assert_eq!((&flat["is_1d"], &flat["data"], &flat["row.names"]), (&json!(true), &json!(["20", "1"]), &json!(["b", "a"])));
    let matrix = client.value("rtvs:::grid_data(matrix(1:6, 2, dimnames = list(NULL, c('a', 'b', 'c'))), 2:2, 2:3, )").await;
    assert_eq!((&matrix["col.start"], &matrix["col.names"], &matrix["data"]), (&json!(2), &json!(["b", "c"]), &json!(["4", "6"])));
    assert!(matrix.get("row.names").is_none(), "{matrix}");
    let mixed = client
        .value("rtvs:::grid_data(data.frame(d = as.Date('2024-02-03'), f = factor('x'), l = TRUE, i = I(list(1:3))), 1:1, 1:4, )")
        .await;
    assert_eq!(mixed["data"], json!(["2024-02-03", "x", "TRUE", "1, 2, 3"]));
    // What has no name is named by its place.
    client.value("m <- matrix(c(1:4, NA, NaN), 2, dimnames = list(c('r1', NA), c('a', NA, 'c'))); NULL").await;
    let holes = client.value("rtvs:::grid_data(m, 1:2, 2:3, )").await;
    assert_eq!((&holes["row.names"], &holes["col.names"]), (&json!(["r1", "[2,]"]), &json!(["[,2]", "c"])));
    assert_eq!(holes["data"], json!(["3", "4", "NA", "NaN"]));
    let large = client.value("rtvs:::grid_data(matrix(list(as.double(1:5000), 2, 'x', NULL), 2), 1:1, 1:2, )").await;
    let numbers: Vec<_> = (1..=27).map(|number: i32| number.to_string()).collect();
    assert_eq!(large["data"], json!([format!("{}...", numbers.join(", ")), "x"]));
    let whole = client.value("rtvs:::grid_data(mtcars)").await;
    assert_eq!((whole["data"].as_array().unwrap().len(), &whole["row.names"][0]), (352, &json!("Mazda RX4")));
    assert!(client.eval("rtvs:::grid_data(array(0, c(2, 2, 2)), 1:1, 1:1, )", "").await.error.is_some());
}
