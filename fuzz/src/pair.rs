//! Two cores and a network between them: whatever happens, they agree in the end.

use p2p_model::{Scope, World};

/// Things that happen in one run.
const STEPS_MAX: usize = 300;

/// Two machines of which the bytes say what happens next: each chooses among all that may.
///
/// The first byte chooses how the world begins and how it goes; when the bytes are used up nothing happens any more but
/// what must, and both ends are asked. The checks are those of the model checker.
pub fn pair(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let mut world = World::new(&Scope::wide(first), None);
    world.record();
    for byte in rest.iter().take(STEPS_MAX) {
        let actions = world.actions();
        if actions.is_empty() {
            break;
        }
        world.apply(actions[usize::from(*byte) % actions.len()]);
        if let Some(broken) = world.broken() {
            panic!("{}\n{broken}", world.history().join("\n"));
        }
    }
    if let Err(broken) = world.settle() {
        panic!("{}\nin the end: {broken}", world.history().join("\n"));
    }
}
