//! Many clients, clients that vanish, and evaluations on top of each other without end.

use serde_json::json;

use super::client::{Broker, Client, server_with, shared, until_dead};
use crate::harness::{Server, descendants, eventually, until};

/// Steps of a client's start, after any of which it may vanish.
const STEPS: usize = 7;

/// Connects, and goes as far as this step. Returns R's process if it was asked for.
async fn begin(server: &Server, id: &str, step: usize) -> (Client, Option<i32>) {
    let mut client = Client::connect(server, id).await;
    if step == 0 {
        return (client, None);
    }
    assert!(client.next().await.is_some());
    if step == 1 {
        return (client, None);
    }
    let prompt = client.prompt().await.id;
    let pid = client.pid().await;
    match step {
        2 => {}
        3 => _ = client.send("?=", json!(["Sys.sleep(600)"]), b"").await,
        4 => _ = client.send("?=@/", json!(["readline()"]), b"").await,
        5 => {
            let blob = client.ask("?CreateBlob", json!([]), b"").await;
            assert_eq!(blob.json, "[2]");
            client.send("?WriteBlob", json!([2, 0]), &vec![1; 80 << 10]).await;
        }
        _ => _ = client.answer(prompt, "while (TRUE) cat('more\\n')\n").await,
    }
    (client, Some(pid))
}

#[tokio::test]
async fn a_client_may_vanish_at_each_step_of_its_start() {
    let server = shared();
    let admin = Broker::admin(server);
    for step in 0..STEPS {
        let id = format!("vanishes-{step}");
        let (client, pid) = begin(server, &id, step).await;
        drop(client);
        until("the session is gone", async || !admin.sessions().await.contains(&id)).await;
        if let Some(pid) = pid {
            until_dead(pid).await;
        }
    }
}

#[tokio::test]
async fn two_hundred_sessions_leave_nothing() {
    let server = server_with("[sessions]\npool = 0");
    let admin = Broker::admin(&server);
    for round in 0..20 {
        let all = (0..10).map(async |at| {
            let (mut client, prompt) = Client::at_prompt(&server, &format!("crowd-{round}-{at}")).await;
            let (_, output, _) = client.interact(prompt, "x <- tempfile(); writeLines('left', x); system('sleep 600 &'); 6 * 7\n").await;
            assert!(output.ends_with("[1] 42\n"), "{output}");
            client.pid().await
        });
        for pid in futures_util::future::join_all(all).await {
            until_dead(pid).await;
        }
    }
    until("no session is left", async || admin.sessions().await.is_empty()).await;
    eventually("no process and no folder is left", || descendants(server.zygote()).is_empty() && server.session_folders() == 0);
}

#[tokio::test]
async fn evaluations_on_top_of_each_other_end_at_a_limit() {
    let (mut client, prompt) = Client::at_prompt(shared(), "tower").await;
    for _ in 0..1_000 {
        client.send("?=@/", json!(["readline('deeper')"]), b"").await;
    }
    // As many as there may be wait, and the others for them.
    let mut highest = prompt;
    for _ in 0..60 {
        highest = client.prompt().await.id;
    }
    assert!(highest > prompt);
    client.send("!//", json!([]), b"").await;
    client.cancelled().await;
    let prompt = loop {
        let prompt = client.prompt().await;
        if prompt.json.ends_with("\"> \"]") {
            break prompt;
        }
    };
    let (_, output, _) = client.interact(prompt.id, "6 * 7\n").await;
    assert!(output.ends_with("[1] 42\n"), "{output}");
}
