//! What a node has done and what it holds.

use core::ptr;

use p2p_group::Code;

use crate::guard::{self, Out};
use crate::layout::{HGROUP, HRESULT, P2P_STATISTIC, P2P_STATISTIC_COUNTER, P2P_STATISTICS};
use crate::memory;
use crate::runtime::Process;

/// What the node in which this group is open has done since its start, and what it holds now, over all groups of its
/// identity. Goes through all connections: for every few seconds, not for every message.
///
/// Each figure has a name that stays; later versions may have more figures, and others in between.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_GROUP`. `E_OUTOFMEMORY`.
///
/// # Safety
/// `ppStatistics` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn P2PGetStatistics(
    hGroup: HGROUP,
    ppStatistics: *mut *mut P2P_STATISTICS,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppStatistics, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let figures = process.group(hGroup)?.statistics()?;
        let counters = figures.counters.rows().map(|row| (P2P_STATISTIC_COUNTER, row));
        let rows: Vec<_> = counters.chain(figures.load.rows().map(|row| (0, row))).collect();
        out.set(memory::build(Code::S_OK, |arena| {
            let top = arena.reserve(1);
            let list = arena.reserve(rows.len());
            for (index, (flags, (name, meaning, value))) in rows.iter().enumerate() {
                let figure = P2P_STATISTIC {
                    pwzName: arena.wide(name),
                    pwzMeaning: arena.wide(meaning),
                    dwFlags: *flags,
                    ullValue: *value,
                };
                arena.set(list, index, figure);
            }
            let statistics = P2P_STATISTICS {
                dwSize: size_of::<P2P_STATISTICS>() as u32,
                cStatistics: rows.len() as u32,
                pStatistics: arena.at(list),
            };
            arena.set(top, 0, statistics);
        })?);
        Ok(Code::S_OK)
    })
}
