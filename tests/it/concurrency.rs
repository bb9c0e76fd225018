//! Many sessions at once, of which nothing is left afterwards.

use crate::harness::{Client, Server, descendants, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sessions_from_fifty_clients() {
    let server = Server::start("[sessions]\npool = 4");
    let before = server.descriptors().len();
    let client = Client::admin(&server).await;
    // Every client keeps its four sessions open while it waits for the others, so all 200 are open at once.
    let all_open = std::sync::Arc::new(tokio::sync::Barrier::new(50));
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let (client, all_open) = (client.clone(), std::sync::Arc::clone(&all_open));
            tokio::spawn(async move {
                let mut sessions = Vec::new();
                for _ in 0..4 {
                    sessions.push(client.session().await);
                }
                all_open.wait().await;
                for (at, session) in sessions.iter().enumerate() {
                    let code = format!("x <- sum(sqrt(1:1e5)) * 0 + {number} + {at}");
                    let reply = session.execute(&code, &[("robjects", "x")]).await.success();
                    assert_eq!(reply["robjects"]["x"]["value"], number + at);
                }
                for session in sessions {
                    session.close().await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    drop(client);
    // Only the pool's workers, with their descriptors and folders, are left.
    eventually("all workers end", || descendants(server.zygote()).len() == 4);
    eventually("their folders go", || std::fs::read_dir(server.data().join("run")).unwrap().count() == 4);
    eventually("their descriptors are closed", || server.descriptors().len() <= before + 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_session_refuses_every_call() {
    let session = Client::admin(Server::shared()).await.session().await;
    let folder = session.value("x <- getwd()").await["value"].as_str().unwrap().to_owned();
    let running = session.occupy("while (!file.exists('go')) Sys.sleep(0.01); x <- 2").await;
    for call in ["ping", "output", "history", "object/list", "object/get"] {
        let reply = session.get(call, &[("name", "x")]).await;
        assert_eq!(reply.status, 409, "{call}");
        assert_eq!(reply.json()["session"], session.id);
    }
    for call in ["execute/code", "object/delete", "close"] {
        assert_eq!(session.post(call, &[("name", "x"), ("code", "1")]).await.status, 409, "{call}");
    }
    std::fs::write(std::path::Path::new(&folder).join("go"), "").unwrap();
    running.await.unwrap().unwrap().success();
    assert_eq!(session.value("x").await["value"], 2);
}
