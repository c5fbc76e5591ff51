//! Waiting until a signed object is on disk and on its way to the members.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use p2p_core::{Error as CoreError, ObjectKind};
use tokio::sync::Notify;

use crate::error::{AdminError, Closed};
use crate::group::Group;
use crate::instance::Instance;
use crate::queue::{HandleId, Wake};
use crate::sync::lock;

/// An object that is to be published: its kind and its bytes.
pub(crate) type Signed = (ObjectKind, Bytes);

/// What became of one object; told once, by the node's own thread.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    result: Mutex<Option<Result<(), AdminError>>>,
    blocking: Condvar,
    waiting: Arc<Notify>,
}

impl Outcome {
    /// Says it. Threads that wait go on at once, tasks when the wake is fired.
    pub(crate) fn tell(&self, result: Result<(), AdminError>) -> Wake {
        lock(&self.result).get_or_insert(result);
        self.blocking.notify_all();
        Wake::Notify(Arc::clone(&self.waiting))
    }

    async fn wait(&self) -> Result<(), AdminError> {
        loop {
            let mut waiting = pin!(self.waiting.notified());
            waiting.as_mut().enable();
            if let Some(result) = lock(&self.result).take() {
                return result;
            }
            waiting.await;
        }
    }

    pub(crate) fn wait_blocking(&self) -> Result<(), AdminError> {
        let mut result = lock(&self.result);
        loop {
            if let Some(result) = result.take() {
                return result;
            }
            result = self.blocking.wait(result).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Instance {
    /// Hands an object to the node. Nothing has changed before its outcome says so.
    fn publish(
        &self,
        handle: HandleId,
        (kind, bytes): &Signed,
    ) -> Result<Arc<Outcome>, AdminError> {
        let outcome = Arc::new(Outcome::default());
        let begun = self.call_for(handle, |node, key, now| {
            let id = node.publish(key, *kind, bytes, now)?;
            self.with_board(|board| board.await_object(id, Arc::clone(&outcome)));
            Ok(outcome)
        })?;
        begun.map_err(|error: CoreError| match error {
            CoreError::InvalidGroup => AdminError::Closed(Closed),
            CoreError::TooMany => AdminError::TooMany,
            CoreError::InvalidArgument(_) => AdminError::Superseded,
            CoreError::Refused(refusal) => AdminError::Refused(refusal),
            error => AdminError::NotStored(error.code()),
        })
    }
}

impl Group {
    /// Publishes objects one after another: each is on disk before the next.
    pub(crate) async fn publish(&self, objects: Vec<Signed>) -> Result<(), AdminError> {
        for object in &objects {
            self.handle.instance.publish(self.handle.id, object)?.wait().await?;
        }
        Ok(())
    }

    pub(crate) fn publish_blocking(&self, objects: Vec<Signed>) -> Result<(), AdminError> {
        for object in &objects {
            self.handle.instance.publish(self.handle.id, object)?.wait_blocking()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use p2p_core::ObjectId;

    use super::*;
    use crate::{Identity, Node};

    /// Nothing else happens in the node: nobody comes by to wake whoever waits.
    #[tokio::test]
    async fn who_waits_for_an_object_hears_that_the_group_was_given_up() {
        let node = Node::start(Identity::in_memory("Ann").unwrap()).unwrap();
        let group = Group::create(&node, "Friends").unwrap();
        let (instance, outcome) = (&group.handle.instance, Arc::new(Outcome::default()));
        instance.with_board(|board| board.await_object(ObjectId([7; 32]), Arc::clone(&outcome)));
        let mut waiting = pin!(outcome.wait());
        let early = tokio::time::timeout(Duration::from_millis(1), waiting.as_mut()).await;
        assert!(early.is_err(), "{early:?}");
        instance.finish();
        let told = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        assert!(matches!(told, Ok(Err(AdminError::Closed(_)))), "{told:?}");
    }
}
