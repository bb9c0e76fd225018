//! Blobs, and the files that go to the session and come from it by them (contract, sections b.4, b.10 and h).

use std::io::{Cursor, Read, Write};

use serde_json::{Value, json};

use super::{
    client::{Client, shared},
    start::started,
};

async fn create(client: &mut Client) -> u64 {
    let created = client.ask("?CreateBlob", json!([]), b"").await;
    serde_json::from_str::<Vec<u64>>(&created.json).unwrap()[0]
}

/// Sends bytes in the pieces that the client sends. Returns their blob.
async fn send(client: &mut Client, bytes: &[u8]) -> u64 {
    let id = create(client).await;
    let mut at = 0;
    for piece in bytes.chunks(80 << 10) {
        let size = client.ask("?WriteBlob", json!([id, at]), piece).await;
        at += piece.len();
        assert_eq!(size.json, format!("[{at}]"));
    }
    id
}

/// What is in the archive in a blob, which has nothing else.
async fn unpacked(client: &mut Client, blob: &Value) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(client.blob(blob).await)).unwrap();
    assert_eq!(archive.len(), 1);
    let mut bytes = Vec::new();
    archive.by_name("data").unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Bytes without a pattern of their own.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}

#[tokio::test]
async fn blobs_have_the_bytes_that_were_written_last() {
    let (mut client, _) = Client::at_prompt(shared(), "bytes-of-blobs").await;
    let mut ids = Vec::new();
    for value in 0..3_u8 {
        let id = create(&mut client).await;
        client.ask("?WriteBlob", json!([id, -1]), &[value; 6]).await;
        assert!(id > 0 && !ids.contains(&id), "{ids:?}");
        ids.push(id);
    }
    for (value, id) in (0..3_u8).zip(&ids) {
        assert_eq!(client.blob(&json!(id)).await[..], [value; 6]);
    }
    let large = noise(8 << 20);
    let id = send(&mut client, &large).await;
    for (at, piece) in large.chunks(1 << 20).enumerate() {
        let read = client.ask("?ReadBlob", json!([id, at << 20, 1 << 20]), b"").await;
        assert!(read.json == "[]" && read.blob == piece, "{at}");
    }
    assert!(client.ask("?ReadBlob", json!([id, 8 << 20, 1 << 20]), b"").await.blob.is_empty());
    let numbers = |numbers: [i64; 3]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    let id = send(&mut client, &numbers([1, 2, 3])).await;
    assert_eq!(client.ask("?WriteBlob", json!([id, 8]), &4_i64.to_le_bytes()).await.json, "[24]");
    assert_eq!(client.blob(&json!(id)).await, numbers([1, 4, 3]));
    let empty = json!(create(&mut client).await);
    assert!(client.blob(&empty).await.is_empty());
    client.send("!DestroyBlob", json!([empty]), b"").await;
    let empty = client.value("rtvs:::create_blob(raw())").await;
    assert!(client.blob(&empty).await.is_empty());
    assert!(client.eval("rtvs:::get_blob(2^40)", "r").await.error.is_some());
    assert!(client.eval("rtvs:::create_blob('text')", "").await.error.unwrap().contains("raw vector"));
}

#[tokio::test]
async fn files_are_sent_and_fetched() {
    let (mut client, prompt) = started("files").await;
    let bytes = noise(3 << 20);
    let blob = send(&mut client, &bytes).await;
    let path = client.value(&format!("rtvs:::save_to_temp_folder({blob}, 'a file.bin')")).await;
    assert!(path.as_str().unwrap().ends_with("/a file.bin"), "{path}");
    for wrong in ["..", ""] {
        assert!(client.eval(&format!("rtvs:::save_to_temp_folder({blob}, {wrong:?})"), "").await.error.is_some(), "{wrong}");
    }
    client.answer(prompt, &format!("rtvs::fetch_file({path}, 'C:\\\\mine.bin')\n")).await;
    let told = client.named("!FetchFile").await;
    let told: Value = serde_json::from_str(&told.json).unwrap();
    assert_eq!((&told[0], &told[2], &told[3]), (&path, &json!("C:\\mine.bin"), &json!(false)));
    assert_eq!(unpacked(&mut client, &told[1]).await, bytes);
    let prompt = client.prompt().await.id;
    let (_, _, errors) = client.interact(prompt, "rtvs::fetch_file('/nowhere')\n").await;
    assert!(errors.contains("there is no file '/nowhere'"), "{errors}");
    // A whole project.
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [("main.R", "x <- 1"), ("data/one.csv", "a,b"), ("win\\dows.R", "y <- 2")] {
        archive.start_file(name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    let blob = send(&mut client, &archive.finish().unwrap().into_inner()).await;
    let project = client.value(&format!("rtvs:::save_to_project_folder({blob}, 'mine', tempdir())")).await;
    let files = client.value(&format!("as.list(sort(dir({project}, recursive = TRUE), method = 'radix'))")).await;
    assert_eq!(files, json!(["data/one.csv", "main.R", "win/dows.R"]));
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("../outside.R", options).unwrap();
    let blob = send(&mut client, &archive.finish().unwrap().into_inner()).await;
    let refused = client.eval(&format!("rtvs:::save_to_project_folder({blob}, 'mine', tempdir())"), "").await;
    assert!(refused.error.unwrap().contains("outside.R"));
    let table = client.value("rtvs:::export_to_csv(data.frame(n = c(1.5, 2), s = c('a\"b', 'ü')), sep = ';', dec = ',')").await;
    let table = String::from_utf8(unpacked(&mut client, &table).await).unwrap();
    assert_eq!(table, "\"\";\"n\";\"s\"\n\"1\";1,5;\"a\"\"b\"\n\"2\";2;\"ü\"\n");
}

/// A package `rmarkdown` that writes down how it was called, and what it has got.
const STAND_IN: &str = "local({
    source <- file.path(tempdir(), 'stand-in', 'rmarkdown')
    dir.create(file.path(source, 'R'), recursive = TRUE)
    writeLines(c('Package: rmarkdown', 'Version: 9.9', 'Title: T', 'Description: D.', 'License: none'), file.path(source, 'DESCRIPTION'))
    writeLines('export(render)', file.path(source, 'NAMESPACE'))
    writeLines(c('render <- function(input, output_format, quiet, envir) {',
        '  made <- sub(\"Rmd$\", \"html\", input)',
        '  text <- readLines(input, encoding = \"UTF-8\")',
        '  writeLines(c(output_format, environmentName(parent.env(envir)), text), made, useBytes = TRUE)',
        '  made',
        '}'), file.path(source, 'R', 'render.R'))
    library <- file.path(tempdir(), 'library')
    dir.create(library)
    system2(file.path(R.home('bin'), 'R'), c('CMD', 'INSTALL', '-l', library, source), stdout = FALSE, stderr = FALSE)
    .libPaths(c(library, .libPaths()))
    requireNamespace('rmarkdown')
})";

#[tokio::test]
async fn documents_are_made_by_a_package_that_may_be_missing() {
    let (mut client, _) = started("publish").await;
    let blob = send(&mut client, "# Title\n\nGrüße\n".as_bytes()).await;
    let publish = |blob: u64, code: &str| {
        format!("rtvs:::rmarkdown_publish(blob_id = {blob}, output_format = \"html_document\", encoding = '{code}')")
    };
    if client.value("nzchar(system.file(package = 'rmarkdown'))").await == false {
        let missing = client.eval(&publish(blob, "cp65001"), "").await.error.unwrap();
        assert!(missing.contains("package rmarkdown is not installed"), "{missing}");
    }
    assert_eq!(client.value(STAND_IN).await, true);
    let expected = "html_document\nR_GlobalEnv\n# Title\n\nGrüße\n";
    let made = client.value(&publish(blob, "cp65001")).await;
    assert_eq!(String::from_utf8(client.blob(&made).await.to_vec()).unwrap(), expected);
    // As other clients write texts, and with the mark of some editors.
    let latin = send(&mut client, b"# Title\n\nGr\xfc\xdfe\n").await;
    let made = client.value(&publish(latin, "cp1252")).await;
    assert_eq!(String::from_utf8(client.blob(&made).await.to_vec()).unwrap(), expected);
    let marked = send(&mut client, "\u{feff}# Title\n\nGrüße\n".as_bytes()).await;
    let made = client.value(&publish(marked, "cp65001")).await;
    assert_eq!(String::from_utf8(client.blob(&made).await.to_vec()).unwrap(), expected);
    assert!(client.eval(&publish(latin, "cp9999"), "").await.error.is_some());
    // Nothing of it stays.
    assert_eq!(client.value("length(dir(tempdir(), 'document'))").await, 0);
}
