//! What the kernel's effects do to the catalogue: bodies that come, digests that stay, states that are shown.
//!
//! All effects of one step become one publication. What leaves the catalogue is handed back, to be dropped
//! by another thread; so is what is to be saved, taken while it is still there.

use crate::catalogue::{Catalogue, Known, Published, Shard, Shards};
use crate::held::{Hold, Releases};
use crate::janitor::Garbage;
use crate::leases::Leases;
use crate::maker::{Advanced, Made, Product, Recalled};
use crate::snapshots::Save;
use hearth_residency::Effect;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What came of entering effects into the catalogue.
#[derive(Default)]
pub(super) struct Entered {
    /// What left it.
    pub(super) garbage: Vec<Garbage>,
    /// What is to be saved.
    pub(super) saves: Vec<Save>,
    /// The other effects.
    pub(super) after: Vec<Effect<Box<Product>>>,
}

/// Puts into the catalogue what belongs there, in one publication.
pub(super) fn publish(
    catalogue: &Catalogue,
    releases: &Arc<Releases>,
    effects: Vec<Effect<Box<Product>>>,
) -> Entered {
    let shows = |effect: &Effect<Box<Product>>| {
        matches!(
            effect,
            Effect::Publish { .. }
                | Effect::ShowDigest { .. }
                | Effect::Save { .. }
                | Effect::Park(_)
                | Effect::Drop(_)
                | Effect::Forget(_)
                | Effect::Show { .. }
        )
    };
    let (shown, after): (Vec<_>, Vec<_>) = effects.into_iter().partition(shows);
    let mut entered = Entered { after, ..Entered::default() };
    if !shown.is_empty() {
        catalogue.write(|shards| {
            shown
                .into_iter()
                .for_each(|effect| enter(shards, &catalogue.leases, effect, releases, &mut entered));
        });
    }
    entered
}

/// Enters one effect into the catalogue.
fn enter(
    shards: &mut Shards,
    leases: &Leases,
    effect: Effect<Box<Product>>,
    releases: &Arc<Releases>,
    entered: &mut Entered,
) {
    let id = match &effect {
        Effect::Publish { shard, .. } | Effect::ShowDigest { shard, .. } => *shard,
        Effect::Save { shard, .. } | Effect::Show { shard, .. } => *shard,
        Effect::Park(shard) | Effect::Drop(shard) | Effect::Forget(shard) => *shard,
        _ => return,
    };
    let Some(at) = shards.iter().position(|shard| shard.id() == id.0) else { return };
    if matches!(effect, Effect::Forget(_)) {
        entered.garbage.push(Box::new(shards.remove(at)));
        return;
    }
    if matches!(effect, Effect::Save { .. }) {
        entered.saves.extend(to_save(&shards[at]));
        return;
    }
    let before = Arc::clone(&shards[at]);
    let shard = Arc::make_mut(&mut shards[at]);
    match effect {
        Effect::Publish { body, generation, .. } => {
            let hold = Hold::new(id, generation, releases);
            match *body {
                Product::Body(made) => show_body(shard, made, generation, hold),
                Product::Advanced(advanced) => show_advanced(shard, advanced, generation, hold),
                Product::Digest(_) => {}
            }
        }
        Effect::ShowDigest { body, .. } => {
            if let Product::Digest(recalled) = *body {
                show_digest(shard, recalled);
            }
        }
        Effect::Park(_) => {
            (shard.published, shard.partial) = (None, None);
            leases.forget(id.0);
            shard.source.track.left_memory();
        }
        Effect::Drop(_) => {
            (shard.published, shard.partial, shard.digest) = (None, None, None);
            leases.forget(id.0);
            shard.source.track.left_memory();
        }
        Effect::Show { view, .. } => {
            shard.view = view;
            if !shard.is_busy() {
                shard.partial = None;
            }
        }
        _ => {}
    }
    let leaves =
        before.answering().is_some_and(|body| shard.answering().is_none_or(|now| !Arc::ptr_eq(body, now)));
    if leaves {
        entered.garbage.push(Box::new(before));
    }
}

/// The body that is in memory, with all that is saved with it.
fn to_save(shard: &Shard) -> Option<Save> {
    let (published, digest) = (shard.published.clone()?, shard.digest.clone()?);
    let complete_until_ns = shard.source.track.complete_until(&published);
    Some(Save { source: Arc::clone(&shard.source), published, digest, complete_until_ns })
}

/// What is known of the same body from the time when it was in memory says more than the snapshot does.
fn show_digest(shard: &mut Shard, recalled: Recalled) {
    let Recalled { digest, known } = recalled;
    shard.digest = Some(digest);
    if shard.known.is_none_or(|before| before.made_ns != known.made_ns) {
        shard.known = Some(Known { generation: known.generation.max(shard.view.generation), ..known });
    }
}

/// Whatever was known of the body before holds for the one that follows it.
fn show_advanced(shard: &mut Shard, advanced: Advanced, generation: u64, hold: Hold) {
    let Some(before) = &shard.published else { return };
    let Advanced { body, digest, made_ns, compared } = advanced;
    let (began, began_ns) = compared.unwrap_or((before.began, before.began_ns));
    let published = Published {
        body,
        generation,
        began,
        began_ns,
        made_ns,
        compared: AtomicBool::new(compared.is_some() || before.is_compared()),
        at: Instant::now(),
        closed: Arc::clone(&before.closed),
        outcome: Arc::clone(&before.outcome),
        built_in: before.built_in,
        device: before.device,
        _hold: Some(hold),
    };
    shard.known = Some(published.known());
    shard.published = Some(Arc::new(published));
    shard.digest = Some(digest);
    shard.last_good_ns = Some(made_ns);
}

fn show_body(shard: &mut Shard, made: Made, generation: u64, hold: Hold) {
    let made_ns = made.made_ns;
    let published = Published {
        body: made.body,
        generation,
        began: made.began,
        began_ns: made.began_ns,
        made_ns,
        at: Instant::now(),
        built_in: made.built_in,
        device: made.device,
        closed: made.closed,
        outcome: Arc::new(made.outcome),
        compared: AtomicBool::new(made.compared),
        _hold: Some(hold),
    };
    shard.known = Some(published.known());
    shard.last_scan = Some(Arc::clone(&published.outcome));
    shard.published = Some(Arc::new(published));
    shard.partial = None;
    shard.digest = Some(made.digest);
    shard.last_good_ns = Some(made_ns);
}
