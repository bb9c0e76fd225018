//! Every shape of the type model, and every way to get it wrong, in JSON and in XML.

use super::*;

fn texts<'a>(all: &[&'a str]) -> Column<'a> {
    Column::Text(all.iter().map(|&text| Some(text.into())).collect())
}

fn text(one: &str) -> Input<'_> {
    Input::Vector(texts(&[one]))
}

fn numbers(all: &[f64]) -> Input<'static> {
    Input::Vector(Column::Double(all.to_vec()))
}

fn logical(one: bool) -> Input<'static> {
    Input::Vector(Column::Logical(vec![i32::from(one)]))
}

fn missing(count: usize, kind: Kind) -> Input<'static> {
    Input::Vector(Column::missing(count, kind))
}

fn list<'a>(members: &[(&'a str, Input<'a>)]) -> Input<'a> {
    Input::List(members.iter().map(|(name, input)| ((*name).into(), input.clone())).collect())
}

/// What `x` is; doubles are compared by their bits, as `NA` is one of the NaNs.
#[track_caller]
fn is(sent: &str, expected: &Input<'_>) {
    let inputs = read(sent.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{sent}"));
    assert_eq!(inputs.members.len(), 1, "{sent}");
    assert_eq!(inputs.members[0].0, "x", "{sent}");
    assert_eq!(format!("{:?}", inputs.members[0].1), format!("{expected:?}"), "{sent}");
    assert_eq!(bits(&inputs.members[0].1), bits(expected), "{sent}");
}

fn bits(input: &Input<'_>) -> Vec<u64> {
    match input {
        Input::Vector(Column::Double(all))
        | Input::Matrix { elements: Column::Double(all), .. }
        | Input::Dates(all)
        | Input::Moments(all) => all.iter().map(|number| number.to_bits()).collect(),
        Input::List(members) | Input::DataFrame(members) => members.iter().flat_map(|(_, input)| bits(input)).collect(),
        _ => Vec::new(),
    }
}

fn json(value: &str, expected: &Input<'_>) {
    is(&format!("{{\"x\":{value}}}"), expected);
}

fn xml(content: &str, expected: &Input<'_>) {
    is(&format!("<inputs><robject name=\"x\"{content}</inputs>"), expected);
}

#[track_caller]
fn fails(sent: &str, error: &str) {
    match read(sent.as_bytes()) {
        Ok(inputs) => panic!("{sent} is {inputs:?}"),
        Err(invalid) => assert_eq!(invalid.to_string(), error, "{sent}"),
    }
}

#[test]
fn primitives() {
    json(r#"{"type":"primitive","rclass":"numeric","value":3}"#, &numbers(&[3.0]));
    json(r#"{"type":"primitive","value":"3.0"}"#, &text("3.0"));
    json(r#"{"type":"primitive","rclass":"numeric","value":"3.0"}"#, &text("3.0"));
    json(r#"{"type":"primitive","value":[7]}"#, &numbers(&[7.0]));
    json(r#"{"type":"primitive","value":true}"#, &logical(true));
    json(r#"{"type":"primitive","rclass":"NULL","value":null}"#, &Input::Null);
    json(r#"{"type":"primitive","value":null}"#, &missing(1, Kind::Logical));
    json(r#"{"type":"primitive","rclass":"numeric","value":null}"#, &missing(1, Kind::Double));
    json(r#"{"type":"primitive","rclass":"character","value":null}"#, &missing(1, Kind::Text));
    json(r#"{"type":"primitive","rclass":"numeric","value":"-Inf"}"#, &numbers(&[f64::NEG_INFINITY]));
    json(r#"{"type":"primitive","value":"Inf"}"#, &text("Inf"));
    json(r#"{"type":"primitive","value":"a, \"b\"\n\u00fc"}"#, &text("a, \"b\"\nü"));
    json(r#"{"type":"primitive","value":123456789012345678901234567890}"#, &numbers(&[123_456_789_012_345_678_901_234_567_890.0]));
    xml(r#" type="primitive"><numeric value="3"/></robject>"#, &numbers(&[3.0]));
    xml(r#" type="primitive"><character value="3.0, and more"/></robject>"#, &text("3.0, and more"));
    xml(r#" type="primitive"><logical value="true"></logical></robject>"#, &logical(true));
    xml(r#" type="primitive"><numeric value=""/></robject>"#, &missing(1, Kind::Double));
    xml(r#" type="primitive"><character value="&quot;&quot;"/></robject>"#, &text(""));
    xml(r#" type="primitive"><character value="a, &quot;b&quot;&#10;&lt;c&gt;&amp;&#9;d&#13;"/></robject>"#, &text("a, \"b\"\n<c>&\td\r"));
    xml(r#" type="primitive"/>"#, &Input::Null);
    xml(r#" type="primitive" rclass="numeric" value="5"/>"#, &numbers(&[5.0]));
    xml(r#" type="primitive" value="5"/>"#, &text("5"));
    xml(r#" value="df$b"/>"#, &text("df$b"));
}

#[test]
fn slips_for_a_type() {
    json(r#"{"type":"character","value":"Here is my name"}"#, &text("Here is my name"));
    json(r#"{"type":"numeric","value":[1,2]}"#, &numbers(&[1.0, 2.0]));
    json(r#"{"type":"integer","value":3}"#, &numbers(&[3.0]));
    json(r#"{"type":"logical","value":false}"#, &logical(false));
    xml(r#" type="character"><character value="Here, my name"/></robject>"#, &text("Here, my name"));
    xml(r#" type="numeric"><numeric value="1,2"/></robject>"#, &numbers(&[1.0, 2.0]));
    xml(r#" type="numeric" value="1,2"/>"#, &numbers(&[1.0, 2.0]));
}

#[test]
fn vectors() {
    json(r#"{"type":"vector","value":[1.0,2.0]}"#, &numbers(&[1.0, 2.0]));
    json(r#"{"type":"vector","value":4}"#, &numbers(&[4.0]));
    json(r#"{"type":"vector","value":[1,null,"Inf","-Inf","NaN","NA","Infinity"]}"#, &{
        numbers(&[1.0, NA_REAL, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, NA_REAL, f64::INFINITY])
    });
    json(r#"{"type":"vector","value":["Inf",1]}"#, &numbers(&[f64::INFINITY, 1.0]));
    json(r#"{"type":"vector","value":["Inf","NA"]}"#, &Input::Vector(texts(&["Inf", "NA"])));
    json(r#"{"type":"vector","rclass":"numeric","value":["Inf",null]}"#, &numbers(&[f64::INFINITY, NA_REAL]));
    json(r#"{"type":"vector","value":["age",null,""]}"#, &Input::Vector(Column::Text(vec![Some("age".into()), None, Some("".into())])));
    json(r#"{"type":"vector","value":[true,null]}"#, &Input::Vector(Column::Logical(vec![1, NA_INTEGER])));
    json(r#"{"type":"vector","value":[null,null]}"#, &missing(2, Kind::Logical));
    json(r#"{"type":"vector","rclass":"character","value":[null,null]}"#, &missing(2, Kind::Text));
    json(r#"{"type":"vector","rclass":"numeric","value":[]}"#, &missing(0, Kind::Double));
    xml(r#" type="vector"><numeric value="1,,3"/></robject>"#, &numbers(&[1.0, NA_REAL, 3.0]));
    xml(r#" type="vector"><numeric value="Inf,-Inf, 1e-3 "/></robject>"#, &numbers(&[f64::INFINITY, f64::NEG_INFINITY, 0.001]));
    xml(r#" type="vector"><logical value="true,,false"/></robject>"#, &Input::Vector(Column::Logical(vec![1, NA_INTEGER, 0])));
    xml(r#" type="vector"><character value="age,gender,IQ"/></robject>"#, &Input::Vector(texts(&["age", "gender", "IQ"])));
    xml(r#" type="vector"><character value="&quot;a,b&quot;,&quot;c&#10;d&quot;"/></robject>"#, &Input::Vector(texts(&["a,b", "c\nd"])));
    xml(r#" type="vector"><character/></robject>"#, &missing(0, Kind::Text));
    xml(r#" type="vector"><character value=""/></robject>"#, &missing(1, Kind::Text));
}

#[test]
fn what_has_no_type_is_what_its_value_is() {
    json("5", &numbers(&[5.0]));
    json("\"df$b\"", &text("df$b"));
    json("[true]", &logical(true));
    json("null", &missing(1, Kind::Logical));
    json("[]", &missing(0, Kind::Logical));
    json(r#"{"value":"df$b"}"#, &text("df$b"));
    json(r#"{"value":[1,2]}"#, &numbers(&[1.0, 2.0]));
    json(r#"{"value":{"a":1,"b":{"value":"c"}}}"#, &list(&[("a", numbers(&[1.0])), ("b", text("c"))]));
    json("[[1,2],[3,4]]", &Input::Matrix { rows: 2, columns: 2, elements: Column::Double(vec![1.0, 3.0, 2.0, 4.0]) });
    json(r#"{"value":"2010-04-20","format":"%Y-%m-%d"}"#, &Input::Dates(vec![14_719.0]));
    xml(r#"><numeric value="1,2"/></robject>"#, &numbers(&[1.0, 2.0]));
    xml(
        r#"><values value="b,a"/></robject>"#,
        &Input::Factor(Factor { values: texts(&["b", "a"]), levels: None, labels: None, ordered: false }),
    );
    xml(
        r#"><numeric value="1"/><numeric value="2"/></robject>"#,
        &Input::Matrix { rows: 2, columns: 1, elements: Column::Double(vec![1.0, 2.0]) },
    );
    xml(r#"><robject name="a"><numeric value="1"/></robject></robject>"#, &list(&[("a", numbers(&[1.0]))]));
    xml(r#"><date value="2010-04-20"/></robject>"#, &Input::Dates(vec![14_719.0]));
}

#[test]
fn dates() {
    let dates = Input::Dates(vec![14_719.0, NA_REAL]);
    json(r#"{"type":"date","format":"%Y-%m-%d","value":"2010-04-20"}"#, &Input::Dates(vec![14_719.0]));
    json(r#"{"type":"date","format":"yyyy-MM-dd","value":"2010-04-2"}"#, &Input::Dates(vec![14_701.0]));
    json(r#"{"type":"date","value":["2010-04-20",null]}"#, &dates);
    json(r#"{"type":"vector","rclass":"date","format":"%Y-%m-%d","value":["2010-04-20",null]}"#, &dates);
    json(r#"{"type":"vector","rclass":"date","value":[]}"#, &Input::Dates(vec![]));
    json(r#"{"type":"date","value":null}"#, &Input::Dates(vec![NA_REAL]));
    json(
        r#"{"type":"date","rclass":"POSIXct","format":"%Y-%m-%d %H:%M:%S %z","value":"2010-04-20 13:45:10 +0200"}"#,
        &Input::Moments(vec![1_271_763_910.0]),
    );
    json(r#"{"type":"date","format":"yyyy-MM-dd HH:mm:ss Z","value":"2010-04-20 13:45:10 +0200"}"#, &Input::Moments(vec![1_271_763_910.0]));
    xml(r#" type="date" format="%Y-%m-%d"><date value="2010-04-20"/></robject>"#, &Input::Dates(vec![14_719.0]));
    xml(r#" type="vector" format="%Y-%m-%d"><date value="2010-04-20,"/></robject>"#, &dates);
    xml(r#" type="vector" format="%Y-%m-%d"><date/></robject>"#, &Input::Dates(vec![]));
    xml(r#" type="date" format="dd.MM.yyyy" value="20.4.2010"/>"#, &Input::Dates(vec![14_719.0]));
    xml(
        r#" type="date" format="%Y-%m-%d %H:%M:%S %z"><date value="2010-04-20 13:45:10 +0200"/></robject>"#,
        &Input::Moments(vec![1_271_763_910.0]),
    );
}

#[test]
fn factors() {
    let factor = |levels: Option<&[&'static str]>, labels: Option<&[&'static str]>, ordered| {
        let labels = labels.map(|labels| labels.iter().map(|&label| label.into()).collect());
        Input::Factor(Factor { values: texts(&["low", "high"]), levels: levels.map(texts), labels, ordered })
    };
    json(r#"{"type":"factor","value":["low","high"]}"#, &factor(None, None, false));
    json(
        r#"{"type":"factor","ordered":true,"levels":["low","high"],"labels":["L","H"],"value":["low","high"]}"#,
        &factor(Some(&["low", "high"]), Some(&["L", "H"]), true),
    );
    json(r#"{"type":"factor","ordered":"true","levels":null,"value":["low","high"]}"#, &factor(None, None, true));
    json(
        r#"{"type":"factor","labels":[1,2.5],"value":[10,9]}"#,
        &Input::Factor(Factor {
            values: Column::Double(vec![10.0, 9.0]),
            levels: None,
            labels: Some(vec!["1".into(), "2.5".into()]),
            ordered: false,
        }),
    );
    xml(r#" type="factor"><values value="low,high"/></robject>"#, &factor(None, None, false));
    xml(
        r#" type="factor" ordered="true"><values value="low,high"/><levels value="low,high"/><labels value="L,H"/></robject>"#,
        &factor(Some(&["low", "high"]), Some(&["L", "H"]), true),
    );
}

#[test]
fn matrices() {
    let elements = Column::Double(vec![1.0, 11.0, 2.0, NA_REAL, 3.0, 13.0]);
    let matrix = Input::Matrix { rows: 2, columns: 3, elements };
    json(r#"{"type":"matrix","value":[[1,2,3],[11,null,13]]}"#, &matrix);
    json(r#"{"type":"matrix","value":[]}"#, &Input::Matrix { rows: 0, columns: 0, elements: Column::Logical(vec![]) });
    json(r#"{"type":"matrix","value":[[],[]]}"#, &Input::Matrix { rows: 2, columns: 0, elements: Column::Logical(vec![]) });
    json(
        r#"{"type":"matrix","value":[[null],["a"]]}"#,
        &Input::Matrix { rows: 2, columns: 1, elements: Column::Text(vec![None, Some("a".into())]) },
    );
    json(
        r#"{"type":"matrix","value":[["Inf"],[1]]}"#,
        &Input::Matrix { rows: 2, columns: 1, elements: Column::Double(vec![f64::INFINITY, 1.0]) },
    );
    json(r#"{"type":"matrix","value":[["Inf"]]}"#, &Input::Matrix { rows: 1, columns: 1, elements: texts(&["Inf"]) });
    xml(r#" type="matrix"><numeric value="1,2,3"/><numeric value="11,,13"/></robject>"#, &matrix);
    xml(r#" type="matrix"></robject>"#, &Input::Matrix { rows: 0, columns: 0, elements: Column::Logical(vec![]) });
    xml(r#" type="matrix"><logical value="true"/></robject>"#, &Input::Matrix { rows: 1, columns: 1, elements: Column::Logical(vec![1]) });
}

#[test]
fn lists() {
    let nested = list(&[("abc", text("1.0")), ("df", Input::DataFrame(vec![("x".into(), numbers(&[0.0, 10.0]))]))]);
    json(
        r#"{"type":"list","value":{"abc":{"type":"primitive","value":"1.0"},"df":{"type":"dataframe","value":{"x":{"type":"vector","value":[0,10]}}}}}"#,
        &nested,
    );
    json(
        r#"{"type":"list","value":[{"name":"abc","type":"primitive","value":"1.0"},{"name":"df","type":"dataframe","value":[{"name":"x","type":"vector","value":[0,10]}]}]}"#,
        &nested,
    );
    json(r#"{"type":"list","value":[1,"a",[true,false]]}"#, &{
        list(&[("", numbers(&[1.0])), ("", text("a")), ("", Input::Vector(Column::Logical(vec![1, 0])))])
    });
    json(r#"{"type":"list","value":[1,null]}"#, &list(&[("", numbers(&[1.0])), ("", missing(1, Kind::Logical))]));
    json(r#"{"type":"list","value":{}}"#, &list(&[]));
    json(r#"{"type":"list","value":[]}"#, &list(&[]));
    xml(
        r#" type="list"><robject name="abc" type="primitive"><character value="1.0"/></robject><robject name="df" type="dataframe"><robject name="x" type="vector"><numeric value="0,10"/></robject></robject></robject>"#,
        &nested,
    );
    xml(r#" type="list"></robject>"#, &list(&[]));
    xml(r#" type="list"/>"#, &list(&[]));
}

#[test]
fn data_frames() {
    let frame = Input::DataFrame(vec![("age".into(), numbers(&[13.0, 15.0])), ("gender".into(), Input::Vector(texts(&["f", "m"])))]);
    json(r#"{"type":"dataframe","value":{"age":{"type":"vector","value":[13,15]},"gender":{"type":"vector","value":["f","m"]}}}"#, &frame);
    json(r#"{"type":"data.frame","value":{"age":[13,15],"gender":["f","m"]}}"#, &frame);
    json(r#"{"type":"dataframe","value":{}}"#, &Input::DataFrame(vec![]));
    xml(
        r#" type="dataframe"><robject name="age" type="vector"><numeric value="13,15"/></robject><robject name="gender" type="vector"><character value="f,m"/></robject></robject>"#,
        &frame,
    );
    xml(r#" type="dataframe"/>"#, &Input::DataFrame(vec![]));
}

#[test]
fn wrapped_inputs_are_bound_by_themselves_and_together() {
    let members = vec![("a".into(), numbers(&[1.0])), ("b".into(), text("c"))];
    let expected = Inputs { members, as_list: true };
    let sent = r#"{"inputs":{"type":"list","value":{"a":{"type":"primitive","value":1},"b":{"value":"c"}}}}"#;
    assert_eq!(read(sent.as_bytes()), Ok(expected.clone()));
    let sent = r#"<inputs><robject name="inputs" type="list"><robject name="a" value="1" type="numeric"/><robject name="b" value="c"/></robject></inputs>"#;
    assert_eq!(read(sent.as_bytes()), Ok(expected));
    // A single value of that name is one, and so is a list among others.
    json_members(r#"{"inputs":{"type":"primitive","value":1}}"#, &["inputs"], false);
    json_members(r#"{"inputs":{"type":"list","value":{"a":1}},"b":2}"#, &["inputs", "b"], false);
    json_members(r#"{"inputs":{"type":"list","value":{"inputs":1,"b":2}}}"#, &["inputs", "b"], false);
    json_members("{}", &[], false);
    json_members(" \u{feff}\n{} ", &[], false);
    fails(r#"{"inputs":{"type":"list","value":[1]}}"#, "inputs: a value has no name; every value needs one to be bound to.");
}

fn json_members(sent: &str, names: &[&str], as_list: bool) {
    let inputs = read(sent.trim_start().as_bytes()).unwrap();
    assert_eq!(inputs.members.iter().map(|(name, _)| name.as_ref()).collect::<Vec<_>>(), names);
    assert_eq!(inputs.as_list, as_list);
}

#[test]
fn roots_of_xml() {
    let object = r#"<robject name="x" type="primitive"><numeric value="1"/></robject>"#;
    for sent in [
        format!("<inputs>{object}</inputs>"),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a comment -->\n<deployr>\n  <inputs>\n {object}\n</inputs>\n</deployr>\n"
        ),
        format!("<phoenix><inputs>{object}</inputs></phoenix>"),
        format!("<phoenix><inputs>{object}</inputs><response/></phoenix>"),
        format!("<deployr><response success=\"false\"><error value=\"400\">text</error></response><inputs>{object}</inputs></deployr>"),
    ] {
        is(&sent, &numbers(&[1.0]));
    }
    assert_eq!(read(b"<inputs/>").unwrap().members, []);
    for (sent, error) in [
        ("<robjects/>", "inputs: the XML begins with <robjects>, and has to begin with <inputs>."),
        ("<deployr/>", "inputs: <deployr> has no <inputs>."),
        ("<deployr><response/></deployr>", "inputs: <deployr> has no <inputs>."),
        ("<deployr><inputs/><inputs/></deployr>", "inputs: <deployr> has to have one <inputs>, and at most a <response>."),
        ("<inputs/><inputs/>", "inputs: something follows the end of the XML."),
        ("<inputs>", "inputs: the XML ends before its last element does."),
        ("<!-- nothing", "inputs: this is not well-formed XML (syntax error: comment not closed: `-->` not found before end of input)."),
    ] {
        fails(sent, error);
    }
}

#[test]
fn errors_in_json() {
    for (value, error) in [
        (
            r#"{"type":"function","value":null}"#,
            "inputs.x: \"function\" is not a type; the types are primitive, vector, date, factor, matrix, list and dataframe.",
        ),
        (r#"{"a":1}"#, "inputs.x: this object has neither \"type\" nor \"value\"; a list is {\"type\":\"list\",\"value\":{...}}."),
        (r#"{"type":"vector"}"#, "inputs.x: this object has a \"type\" and no \"value\"; a missing value is null."),
        (r#"{"type":5,"value":1}"#, "inputs.x: \"type\" has to be text, and is a number."),
        (r#"{"type":"vector","value":[1],"value":[2]}"#, "inputs.x: \"value\" is there twice."),
        (r#"{"type":"primitive","value":[1,2]}"#, "inputs.x: a primitive has one value, and not 2; use the type vector."),
        (
            r#"{"type":"primitive","value":{"a":1}}"#,
            "inputs.x: this is an object, and has to be a plain value or an array of plain values.",
        ),
        (r#"[1,"two"]"#, "inputs.x: element 2 is text and the first is a number; use the type list for values of several types."),
        (
            r"[null,true,1]",
            "inputs.x: element 3 is a number and the first is a logical value; use the type list for values of several types.",
        ),
        (r#"{"type":"vector","value":[1,[2]]}"#, "inputs.x: element 2 is an array, and a vector has plain values only; use the type list."),
        (r#"[{"a":1}]"#, "inputs.x: an array of objects needs to be told apart by its type: list or dataframe."),
        (r#"["a","b\u0000"]"#, "inputs.x: element 2 has a NUL character (\\u0000), which R's strings cannot have."),
        (r#"{"type":"matrix","value":[1,2]}"#, "inputs.x: a matrix is an array of rows, each an array, and this is an array."),
        (r#"{"type":"matrix","value":[[1],2]}"#, "inputs.x: row 2 of the matrix has to be an array, and is a number."),
        (
            r#"{"type":"matrix","value":[[1,2],[3]]}"#,
            "inputs.x: row 2 is of length 1, and row 1 of length 2; the rows of a matrix are of one length.",
        ),
        (
            r#"{"type":"matrix","value":[[1],["a"]]}"#,
            "inputs.x: row 2 is not of the same type as the rows before it; all elements of a matrix are of one type.",
        ),
        (
            r#"{"type":"matrix","value":[[1,true]]}"#,
            "inputs.x.[1]: element 2 is a logical value and the first is a number; use the type list for values of several types.",
        ),
        (
            r#"{"type":"date","value":14719}"#,
            "inputs.x: a date is text, such as \"2010-04-20\", with the format to read it by, such as \"%Y-%m-%d\".",
        ),
        (r#"{"type":"date","value":["2010-04-20","soon"]}"#, "inputs.x: element 2, \"soon\", cannot be read by the format \"%Y-%m-%d\"."),
        (r#"{"type":"factor","levels":["a","b","a"],"value":["a"]}"#, "inputs.x: the level \"a\" is there twice."),
        (
            r#"{"type":"factor","levels":["a","b","c"],"labels":["A","B"],"value":["a"]}"#,
            "inputs.x: the labels are 2 in number and the levels 3; give one label for each level.",
        ),
        (
            r#"{"type":"factor","labels":["A","B"],"value":["a","a",null]}"#,
            "inputs.x: the labels are 2 in number and the levels 1; give one label for each level.",
        ),
        (r#"{"type":"factor","labels":[null],"value":[null]}"#, "inputs.x: labels are texts, one for each level."),
        (r#"{"type":"factor","labels":["a",null],"value":["b","c"]}"#, "inputs.x: a label is missing (null)."),
        (
            r#"{"type":"factor","levels":[["a"]],"value":["a"]}"#,
            "inputs.x.levels: element 1 is an array, and a vector has plain values only; use the type list.",
        ),
        (r#"{"type":"factor","ordered":"perhaps","value":["a"]}"#, "inputs.x: \"ordered\" is true or false, and not text."),
        (
            r#"{"type":"list","value":5}"#,
            "inputs.x: the value of a list or of a data frame is an object of named values, and this is a number.",
        ),
        (r#"{"type":"list","value":{"a":1,"a":2}}"#, "inputs.x: the name \"a\" is there twice; give each value a name of its own."),
        (r#"{"type":"list","value":{"a\u0000":1}}"#, "inputs.x: a name has a NUL character (\\u0000), which R's names cannot have."),
        (
            r#"{"type":"list","value":{"a":{"type":"list","value":[1,{"name":"b","type":"no"}]}}}"#,
            "inputs.x.a.[2]: \"no\" is not a type; the types are primitive, vector, date, factor, matrix, list and dataframe.",
        ),
        (
            r#"{"type":"dataframe","value":{"a":[1,2],"b":[1]}}"#,
            "inputs.x.b: this column is of length 1, and \"a\" of length 2; the columns of a data frame are of one length.",
        ),
        (
            r#"{"type":"dataframe","value":{"a":{"type":"list","value":{}}}}"#,
            "inputs.x.a: a column of a data frame is a vector, a date or a factor.",
        ),
        (r#"{"type":"dataframe","value":[[1,2]]}"#, "inputs.x: a column of the data frame has no name."),
    ] {
        fails(&format!("{{\"x\":{value}}}"), error);
    }
    for (sent, error) in [
        ("", "inputs: this is not JSON (EOF while parsing a value at line 1 column 0), and it does not begin with < as XML does."),
        ("[1]", "inputs: this is an array, and has to be an object of named values: {\"x\":{\"type\":\"vector\",\"value\":[1,2,3]}}."),
        ("{\"x\":1e999}", "inputs: this is not JSON (number out of range at line 1 column 10), and it does not begin with < as XML does."),
        ("{\"x\":1,\"x\":2}", "inputs: the name \"x\" is there twice; give each value a name of its own."),
        ("{\"\":1}", "inputs: a value has no name; every value needs one to be bound to."),
        ("{\"a\\u0000b\":1}", "inputs: a name has a NUL character (\\u0000), which R's names cannot have."),
    ] {
        fails(sent, error);
    }
    assert!(read(b"{\"x\":\"\\ud800\"}").is_err());
    assert_eq!(read(b"{\"x\":\"\xff\"}").unwrap_err().to_string(), "inputs: the text is not UTF-8.");
    let long = "n".repeat(10_001);
    fails(
        &format!("{{\"{long}\":1}}"),
        &format!("inputs.{}...: the name is longer than 10000 bytes, which is the most that R allows.", &long[..60]),
    );
}

#[test]
fn errors_in_xml() {
    let types = "the types are primitive, vector, date, factor, matrix, list and dataframe";
    let data = "inputs.x: a value that is not a matrix has one element with its data, such as <numeric value=\"1,2\"/>.";
    for (content, error) in [
        (" type=\"function\"/>", format!("inputs.x: \"function\" is not a type; {types}.").as_str()),
        ("/>", "inputs.x: this object has neither a type nor a value."),
        (" type=\"vector\"/>", data),
        (" type=\"vector\"><numeric value=\"1\"/><numeric value=\"2\"/></robject>", data),
        (" type=\"vector\" type=\"list\"/>", "inputs: an element has the attribute type twice."),
        (" type=\"vector\"><numeric value=\"1,two\"/></robject>", "inputs.x: element 2, \"two\", is not what its element says it is."),
        (
            " type=\"vector\"><numeric>1,2</numeric></robject>",
            "inputs.x: there is text between the elements; values stand in attributes: <numeric value=\"1,2\"/>.",
        ),
        (
            " type=\"vector\"><numeric value=\"1\"><numeric/></numeric></robject>",
            "inputs.x: there is an element in <numeric>, which has to be empty.",
        ),
        (" type=\"vector\"><complex value=\"1\"/></robject>", "inputs.x: there is a <complex>, which is not an element of this model."),
        (
            " type=\"vector\"><robject name=\"y\" value=\"1\"/></robject>",
            "inputs.x: there is an <robject> in a value that is neither a list nor a data frame.",
        ),
        (" type=\"vector\"><values value=\"1\"/></robject>", "inputs.x: only a factor has <values>, <levels> and <labels>."),
        (
            " type=\"primitive\"><numeric value=\"1,2\"/></robject>",
            "inputs.x: is a primitive, and so has one value, not several; use the type vector.",
        ),
        (" type=\"primitive\"><numeric/></robject>", "inputs.x: a primitive has one value; use the type vector."),
        (
            " type=\"list\"><numeric value=\"1\"/></robject>",
            "inputs.x: the elements of a list, and the columns of a data frame, are each an <robject>.",
        ),
        (" type=\"factor\"><levels value=\"1\"/></robject>", "inputs.x: a factor has its data in <values value=\"a,b\"/>."),
        (" type=\"factor\"><values/><values/></robject>", "inputs.x: <values> is there twice."),
        (" type=\"factor\" ordered=\"maybe\"><values/></robject>", "inputs.x: \"ordered\" is true or false, and not \"maybe\"."),
        (
            " type=\"matrix\"><numeric value=\"1,2\"/><numeric value=\"3\"/></robject>",
            "inputs.x: row 2 is of length 1, and row 1 of length 2; the rows of a matrix are of one length.",
        ),
        (
            " type=\"dataframe\"><robject name=\"a\" type=\"vector\"><numeric value=\"1\"/></robject><robject name=\"b\" type=\"list\"/></robject>",
            "inputs.x.b: a column of a data frame is a vector, a date or a factor.",
        ),
        (" type=\"date\" format=\"%Y\"><date value=\"2010\"/></robject>", "inputs.x: \"2010\" cannot be read by the format \"%Y\"."),
        (" value=\"&lol;\"/>", "inputs: this is not well-formed XML (at 1..4: unrecognized entity `lol`)."),
    ] {
        fails(&format!("<inputs><robject name=\"x\"{content}</inputs>"), error);
    }
    fails("<inputs><x/></inputs>", "inputs: there is a <x> where only <robject> belongs.");
    fails("<inputs><robject value=\"1\"/></inputs>", "inputs: a value has no name; every value needs one to be bound to.");
    fails("<!DOCTYPE inputs [<!ENTITY a \"b\">]><inputs/>", "inputs: a document type (<!DOCTYPE>) is not accepted.");
    fails("<inputs>]]></inputs>", "inputs: there is text between the elements; values stand in attributes: <numeric value=\"1,2\"/>.");
    assert!(read(b"<inputs></robject>").is_err());
    assert!(read(b"<inputs><robject name=\"x\" value=\"&#0;\"/></inputs>").is_err());
}

#[test]
fn nesting_has_a_limit() {
    let json = |depth: usize| format!("{{\"x\":{}1{}}}", r#"{"type":"list","value":{"a":"#.repeat(depth), "}}".repeat(depth));
    let xml = |depth: usize| {
        let inner = r#"<robject name="a" type="primitive"><numeric value="1"/></robject>"#;
        format!("<inputs>{}{inner}{}</inputs>", r#"<robject name="a" type="list">"#.repeat(depth), "</robject>".repeat(depth))
    };
    assert!(read(json(32).as_bytes()).is_ok());
    assert!(read(xml(32).as_bytes()).is_ok());
    for sent in [json(33), xml(33), xml(100_000)] {
        assert!(read(sent.as_bytes()).unwrap_err().to_string().ends_with("a: lists are nested deeper than 32 levels."));
    }
    for sent in [json(100_000), format!("{{\"x\":{}", "[".repeat(1_000_000))] {
        assert_eq!(read(sent.as_bytes()).unwrap_err().to_string(), "inputs: arrays and objects are nested too deep.");
    }
}
