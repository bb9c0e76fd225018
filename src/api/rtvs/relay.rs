//! Carries a conversation between a client and R, until one of them ends it.
//!
//! What the client sends waits here until R takes it, so that the client is heard while R computes: it may want everything to be stopped.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    LEFT_WORKSPACE,
    conversation::{Conversation, Fault},
    journal::Journal,
    message::Message,
    pages::ShownPages,
};
use crate::{
    app::{
        App,
        prompt::{Hearer, Host, HostEvaluation, Notice, Said, Say, Scope, Tell, Teller, ValueWanted},
    },
    server::websocket::{Ending, SocketMessage, WebSocket},
};

/// Messages that wait to be sent to the client. If it does not take them, R waits.
const WINDOW: usize = 16;
/// How many messages of a client may wait for R, and how many bytes they may have together, beside the latest.
const WAITING: usize = 10_000;
const WAITING_BYTES: usize = 64 << 20;

/// How long R may take for what it does when its client has left.
const FAREWELL: Duration = Duration::from_secs(10);

/// What holds for one conversation.
#[derive(Debug)]
pub struct Course {
    /// Keeps what R leaves.
    pub app: Arc<App>,
    /// After how much silence of the client R ends.
    pub idle: Option<Duration>,
    /// The pages that R has shown.
    pub pages: Arc<ShownPages>,
    /// What is written down.
    pub journal: Journal,
}

/// How a conversation has ended. A sentence for the log.
#[derive(Debug, thiserror::Error)]
pub enum Parting {
    /// R has ended.
    #[error("R has ended")]
    R,
    /// The connection has.
    #[error("{0}")]
    Connection(Ending),
    /// It could not go on.
    #[error("{0}")]
    Fault(Fault),
}

/// Carries a conversation. When it has ended, so has R's life with this client: its end is dropped.
pub async fn relay(socket: WebSocket, host: Host, course: &mut Course) -> Parting {
    let (to_client, outgoing) = mpsc::channel(WINDOW);
    let (incoming, from_client) = mpsc::channel(1);
    let mut carrying = Box::pin(socket.carry(outgoing, incoming));
    let (teller, hearer) = host.split();
    let mut talking = Box::pin(talk(teller.clone(), hearer, from_client, to_client.clone(), course));
    let talked = tokio::select! {
        ending = &mut carrying => {
            let _ = timeout(FAREWELL, async { tokio::join!(&mut talking, part(&teller)) }).await;
            return Parting::Connection(ending);
        }
        talked = &mut talking => talked,
    };
    drop(talking);
    let parting = talked.map_or_else(Parting::Fault, |()| Parting::R);
    let closing = async {
        if let Parting::Fault(_) = parting {
            // The client may be gone as well.
            let _ = to_client.send(SocketMessage::Close(1002, "the conversation cannot go on")).await;
        }
        drop(to_client);
    };
    tokio::join!(carrying, closing);
    parting
}

/// Has R do what it does when its client has left. Nobody has asked for the answer, so that the talk ends with it.
async fn part(teller: &Teller) {
    let id = u64::MAX;
    let wish = HostEvaluation { id, place: Scope::Global, reentrant: false, cancelable: false, wanted: ValueWanted::Nothing };
    for (tell, code) in [(Tell::CancelAll, ""), (Tell::Evaluate(wish), "rtvs:::autosave()")] {
        if teller.tell(tell, Bytes::from_static(code.as_bytes())).await.is_err() {
            return;
        }
    }
}

/// Talks until R has ended.
async fn talk(
    teller: Teller,
    mut hearer: Hearer,
    mut from_client: mpsc::Receiver<Bytes>,
    to_client: mpsc::Sender<SocketMessage>,
    course: &mut Course,
) -> Result<(), Fault> {
    let Course { app, idle, pages, journal } = course;
    let session = Arc::clone(hearer.session());
    // Each counts once for a session, however often it says so.
    let (has_left, has_taken) = (AtomicBool::new(false), AtomicBool::new(false));
    let conversation = Mutex::new(Conversation::default());
    let (queue, heard) = (Queue::default(), Mutex::new(Instant::now()));
    let journal = Mutex::new(journal);
    let send = async |message: Message| {
        lock(&journal).sent(&message);
        // If the connection has ended, so will this.
        let _ = to_client.send(SocketMessage::Bytes(message.to_bytes())).await;
    };
    let hearing = async {
        while let Some(said) = hearer.next().await {
            if let Said::Message(Say::Notice(notice), _) = &said {
                match notice {
                    Notice::Page(url) => pages.show(url),
                    Notice::WorkspaceLeft => has_left.store(true, Ordering::Relaxed),
                    Notice::WorkspaceTaken if !has_taken.swap(true, Ordering::Relaxed) => app.left_workspace_forget(&session).await,
                    _ => {}
                }
            }
            lock(&journal).said(&said);
            let message = lock(&conversation).tell(said)?;
            if let Some(message) = message {
                send(message).await;
            }
        }
        Ok(())
    };
    let listening = async {
        while let Some(bytes) = from_client.recv().await {
            *lock(&heard) = Instant::now();
            lock(&journal).received(&bytes);
            let told = lock(&conversation).hear(&bytes)?;
            let given_up = match &told {
                Some((Tell::CancelAll, _)) => queue.take_evaluations(|_| true),
                Some((Tell::Cancel(cancelled), _)) => queue.take_evaluations(|id| id == *cancelled),
                _ => Vec::new(),
            };
            let is_one = !given_up.is_empty();
            for id in given_up {
                let message = lock(&conversation).give_up(id);
                if let Some(message) = message {
                    send(message).await;
                }
            }
            match told {
                // It waited here, and R need not know of it.
                Some((Tell::Cancel(_), _)) if is_one => {}
                // What is to be stopped is not waited for.
                Some((tell @ (Tell::CancelAll | Tell::Cancel(_)), payload)) => drop(teller.tell(tell, payload).await),
                Some((tell, payload)) => queue.put(tell, payload).await,
                None => {}
            }
        }
        // The connection has ended, and so will this.
        std::future::pending::<Result<(), Fault>>().await
    };
    let telling = async {
        loop {
            let (tell, payload) = queue.next().await;
            if teller.tell(tell, payload).await.is_err() {
                // R has ended, which is heard when all is heard that it has said.
                return std::future::pending::<()>().await;
            }
        }
    };
    let idling = async {
        let Some(idle) = *idle else { return std::future::pending::<()>().await };
        loop {
            let left = idle.saturating_sub(lock(&heard).elapsed());
            if left.is_zero() {
                tracing::info!(seconds = idle.as_secs(), "the client has been silent, and R ends");
                queue.put(Tell::End { save: false }, Bytes::new()).await;
                return std::future::pending().await;
            }
            sleep(left).await;
        }
    };
    let talked = tokio::select! {
        // What was taken from the queue is told before what stops everything, or R would do it afterwards.
        biased;
        heard = hearing => heard,
        () = telling => Ok(()),
        listened = listening => listened,
        () = idling => Ok(()),
    };
    // The session's folder goes when this returns.
    if has_left.into_inner() {
        app.left_workspace_keep(&session, LEFT_WORKSPACE).await;
    }
    talked
}

/// The messages that R has not taken yet, in their order.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<(Tell, Bytes)>,
    /// The size of their payloads.
    bytes: usize,
}

impl Queue {
    /// Adds a message, when there is room.
    async fn put(&self, tell: Tell, payload: Bytes) {
        while !self.has_room() {
            self.room.notified().await;
        }
        let mut waiting = lock(&self.waiting);
        waiting.bytes += payload.len();
        waiting.messages.push_back((tell, payload));
        self.changed.notify_one();
    }

    fn has_room(&self) -> bool {
        let waiting = lock(&self.waiting);
        waiting.messages.len() < WAITING && waiting.bytes < WAITING_BYTES
    }

    fn take(&self) -> Option<(Tell, Bytes)> {
        let mut waiting = lock(&self.waiting);
        let taken = waiting.messages.pop_front()?;
        waiting.bytes -= taken.1.len();
        self.room.notify_one();
        Some(taken)
    }

    /// The next message.
    async fn next(&self) -> (Tell, Bytes) {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// Takes out the evaluations among the messages that are to be stopped, and returns their ids.
    fn take_evaluations(&self, is_to_stop: impl Fn(u64) -> bool) -> Vec<u64> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let mut waiting = lock(&self.waiting);
        waiting.messages.retain(|(tell, payload)| match tell {
            Tell::Evaluate(evaluate) if is_to_stop(evaluate.id) => {
                taken.push(evaluate.id);
                bytes += payload.len();
                false
            }
            _ => true,
        });
        waiting.bytes -= bytes;
        self.room.notify_one();
        taken
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(id: u64) -> Tell {
        Tell::Evaluate(HostEvaluation { id, place: Scope::Global, reentrant: false, cancelable: false, wanted: ValueWanted::Json })
    }

    #[tokio::test]
    async fn evaluations_that_wait_are_taken_out_and_the_rest_keeps_its_order() {
        let queue = Queue::default();
        for tell in [evaluation(2), Tell::Cancel(1), evaluation(4), evaluation(6)] {
            queue.put(tell, Bytes::new()).await;
        }
        assert_eq!(queue.take_evaluations(|id| id == 4), [4]);
        assert_eq!(queue.next().await.0, evaluation(2));
        assert_eq!(queue.take_evaluations(|_| true), [6]);
        assert_eq!(queue.next().await.0, Tell::Cancel(1));
    }

    #[tokio::test]
    async fn a_client_waits_where_r_does_not_take_its_messages() {
        let queue = Queue::default();
        queue.put(evaluation(2), vec![0; WAITING_BYTES].into()).await;
        let mut put = std::pin::pin!(queue.put(evaluation(4), Bytes::new()));
        assert!(futures_util::poll!(&mut put).is_pending());
        queue.next().await;
        put.await;
        assert_eq!(queue.next().await.0, evaluation(4));
    }
}
