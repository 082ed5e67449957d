//! The thread that owns the kernel: events in, effects out.
//!
//! Queries, attempts and operators put messages into its bounded inbox; it steps the kernel and carries
//! out what follows: one publication of the catalogue a step, then attempts, logs and replies. It waits
//! until the kernel's next due time at most. While anything is going on it also looks around now and
//! then: at attempts, queries, what the process holds, pressure. Otherwise it sleeps until somebody rings:
//! a query, a message, the last reader of a body, or the alarm of the system, without which it never
//! sleeps long. What takes long is done elsewhere: attempts on threads of their own, letting go of memory
//! by the janitor.

mod publication;

use crate::api::{Axis, TransitionEvent};
use crate::catalogue::Catalogue;
use crate::clock;
use crate::error::ServiceError;
use crate::held::Releases;
use crate::janitor::{Allocator, Janitor};
use crate::loader::Loader;
use crate::maker::Product;
use crate::pressure::{Alarm, Gauge, Level};
use crate::snapshots::{Save, Saver, Snapshots};
use crate::transitions::Transitions;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use hearth_residency::{
    Advance, AttemptId, ChangeSet, Command, Effect, Event, Generation, Kernel, Moment, Outcome, Policy,
    Pressure, Refusal, ShardId, Step, Stored, Ticket, Totals, Transition,
};
use parking_lot::Mutex;
use publication::{Entered, publish};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Messages that may wait; who sends more waits with them.
const INBOX: usize = 4096;
/// How often attempts in flight are asked what they need.
const BUSY_POLL: Duration = Duration::from_millis(100);
/// How long it looks around after something happened, where nothing else is wanted.
pub(crate) const WAKEFUL: Duration = Duration::from_secs(30);
/// The longest sleep; nothing is due after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);
/// How long stopping waits for attempts to stop, where nothing else is wanted.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long stopping waits for what is unsaved to be saved.
pub(crate) const SAVE_PATIENCE: Duration = Duration::from_secs(60);

/// What the inbox takes.
enum Message {
    Event(Event<Box<Product>>),
    Operate {
        command: Command,
        reply: Sender<Result<(), Refusal>>,
    },
    Claim {
        shard: ShardId,
        reply: Sender<()>,
    },
    Consult {
        shard: ShardId,
        reply: Sender<()>,
    },
    Add {
        shard: ShardId,
        forecast_bytes: u64,
        stored: Option<Stored>,
        reply: Sender<()>,
    },
    Advance {
        shard: ShardId,
        from: Generation,
        body: Box<Product>,
        advance: Advance,
        reply: Sender<Generation>,
    },
    Change {
        shard: ShardId,
        changes: ChangeSet,
        reply: Sender<()>,
    },
    Stop,
}

/// What is never sent.
enum Never {}

/// What the driver works with.
pub(crate) struct Parts {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) loader: Arc<Loader>,
    pub(crate) allocator: Option<Arc<dyn Allocator>>,
    pub(crate) policy: Policy,
    /// Reads the pressure of the machine, if that is wanted.
    pub(crate) gauge: Option<Gauge>,
    /// Rings when the gauge should look; without it the gauge looks again and again.
    pub(crate) alarm: Option<Box<dyn Alarm>>,
    pub(crate) poll: Duration,
    /// How long it looks around after something happened.
    pub(crate) wakeful: Duration,
    /// How long stopping waits for attempts to stop.
    pub(crate) stop_patience: Duration,
    /// Where bodies are saved, if they are.
    pub(crate) snapshots: Option<Arc<Snapshots>>,
}

/// The side of the driver that everybody else sees.
pub(crate) struct Driver {
    inbox: Sender<Message>,
    /// Disconnected once nobody reads the inbox. What is in it then stays there, unanswered.
    deaf: Receiver<Never>,
    origin: Instant,
    totals: Arc<ArcSwap<Totals>>,
    transitions: Arc<Transitions>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Keeps a shard in memory, once it is there, for a query that needs it. Dropping it ends that.
pub(crate) struct Claim {
    inbox: Sender<Message>,
    shard: ShardId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Without a driver there is nobody left who would take it out of memory.
        let _ = self.inbox.send(Message::Event(Event::Settled(self.shard)));
    }
}

impl Driver {
    /// Starts the thread.
    pub(crate) fn start(parts: Parts) -> Result<Self, ServiceError> {
        let (inbox, messages) = bounded(INBOX);
        let ((wake, bell), (hearing, deaf)) = (bounded(1), bounded(0));
        let kernel = Kernel::new(parts.policy);
        let totals = Arc::new(ArcSwap::from_pointee(kernel.totals()));
        let transitions = Arc::<Transitions>::default();
        let measured = inbox.clone();
        let janitor = Janitor::start(parts.allocator.clone(), move |held| {
            let _ = measured.send(Message::Event(Event::MemoryHeld(held)));
        })?;
        let saver = parts.snapshots.map(|snapshots| start_saver(snapshots, &parts.catalogue, &inbox));
        let origin = Instant::now();
        parts.catalogue.doze.connect(wake.clone());
        let keeper = Keeper {
            kernel,
            catalogue: parts.catalogue,
            loader: parts.loader,
            allocator: parts.allocator,
            gauge: parts.gauge,
            alarm: parts.alarm.and_then(|alarm| start_alarm(alarm, wake.clone())),
            poll: parts.poll,
            wakeful: parts.wakeful,
            stirred: origin,
            stop_patience: parts.stop_patience,
            polled: origin,
            gauged: origin,
            origin,
            inbox: inbox.clone(),
            releases: Releases::new(wake),
            janitor,
            saver: saver.transpose()?,
            saving: 0,
            totals: Arc::clone(&totals),
            transitions: Arc::clone(&transitions),
            tickets: 0,
            replies: HashMap::new(),
            counted: HashMap::new(),
            unbegun: VecDeque::new(),
        };
        let thread = thread::Builder::new().name("hearth-kernel".to_owned());
        let thread = thread.spawn(move || keeper.serve(messages, &bell, hearing));
        let thread =
            thread.map_err(|error: io::Error| ServiceError::io("start thread", "hearth-kernel", error))?;
        Ok(Self { inbox, deaf, origin, totals, transitions, thread: Mutex::new(Some(thread)) })
    }

    /// Makes a source known to the kernel; its load has been asked for when this returns.
    pub(crate) fn add(&self, id: u64, forecast_bytes: u64, stored: Option<Stored>) {
        let (reply, done) = bounded(1);
        let _ = self.inbox.send(Message::Add { shard: ShardId(id), forecast_bytes, stored, reply });
        self.answer(&done);
    }

    /// Asks for the digest that a snapshot holds; what follows at once is in the catalogue when this returns.
    pub(crate) fn consult(&self, id: u64) {
        let (shard, (reply, done)) = (ShardId(id), bounded(1));
        let _ = self.inbox.send(Message::Consult { shard, reply });
        self.answer(&done);
    }

    /// Asks for shards that will be needed.
    pub(crate) fn hint(&self, ids: Vec<ShardId>) {
        let _ = self.inbox.send(Message::Event(Event::Hinted(ids)));
    }

    /// Asks for a shard that is needed now; what follows at once is in the catalogue when this returns.
    pub(crate) fn claim(&self, id: u64) -> Claim {
        let (shard, (reply, done)) = (ShardId(id), bounded(1));
        let _ = self.inbox.send(Message::Claim { shard, reply });
        self.answer(&done);
        Claim { inbox: self.inbox.clone(), shard }
    }

    /// Carries out a command; what follows at once is in the catalogue when this returns. `None` if the
    /// driver has stopped.
    pub(crate) fn operate(&self, command: Command) -> Option<Result<(), Refusal>> {
        let (reply, result) = bounded(1);
        self.inbox.send(Message::Operate { command, reply }).ok()?;
        self.answer(&result)
    }

    /// Waits for an answer; `None` if none comes any more.
    fn answer<T>(&self, reply: &Receiver<T>) -> Option<T> {
        answer(reply, &self.deaf)
    }

    /// Another way to the kernel.
    pub(crate) fn link(&self) -> Link {
        Link { inbox: self.inbox.clone(), deaf: self.deaf.clone() }
    }

    /// The sums over all shards.
    pub(crate) fn totals(&self) -> Totals {
        **self.totals.load()
    }

    /// A time of the kernel by the monotonic clock.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.origin + moment
    }

    /// Who follows the moves of shards.
    pub(crate) fn transitions(&self) -> &Transitions {
        &self.transitions
    }

    /// Stops attempts and the thread, and waits for them. Calling it again does nothing.
    pub(crate) fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        let _ = self.inbox.send(Message::Stop);
        if thread.join().is_err() {
            tracing::error!("the kernel's thread had panicked");
        }
    }
}

/// How the threads that follow feeds reach the kernel.
pub(crate) struct Link {
    inbox: Sender<Message>,
    deaf: Receiver<Never>,
}

impl Link {
    /// Hands over the body that follows the one with the number `from`; the number of the published one after that,
    /// which need not be this. `None` if the driver has stopped.
    pub(crate) fn advance(
        &self,
        shard: ShardId,
        from: Generation,
        product: Product,
        advance: Advance,
    ) -> Option<Generation> {
        let (reply, done) = bounded(1);
        let message = Message::Advance { shard, from, body: Box::new(product), advance, reply };
        self.inbox.send(message).ok()?;
        answer(&done, &self.deaf)
    }

    /// Tells of changes; what follows at once is in the catalogue when this returns.
    pub(crate) fn changed(&self, shard: ShardId, changes: ChangeSet) {
        let (reply, done) = bounded(1);
        let _ = self.inbox.send(Message::Change { shard, changes, reply });
        answer(&done, &self.deaf);
    }
}

/// Waits for an answer; `None` if none comes any more.
fn answer<T>(reply: &Receiver<T>, deaf: &Receiver<Never>) -> Option<T> {
    select! {
        recv(reply) -> answer => answer.ok(),
        recv(deaf) -> _ => reply.try_recv().ok(),
    }
}

/// The thread's own side.
struct Keeper {
    kernel: Kernel<Box<Product>>,
    catalogue: Arc<Catalogue>,
    loader: Arc<Loader>,
    allocator: Option<Arc<dyn Allocator>>,
    gauge: Option<Gauge>,
    alarm: Option<Box<dyn Alarm>>,
    poll: Duration,
    wakeful: Duration,
    /// When something last happened.
    stirred: Instant,
    stop_patience: Duration,
    /// When attempts and queries were last looked at.
    polled: Instant,
    /// When the machine's pressure was last looked at.
    gauged: Instant,
    origin: Instant,
    inbox: Sender<Message>,
    releases: Arc<Releases>,
    janitor: Janitor,
    saver: Option<Saver>,
    /// Saves that have not ended.
    saving: usize,
    totals: Arc<ArcSwap<Totals>>,
    transitions: Arc<Transitions>,
    tickets: Ticket,
    replies: HashMap<Ticket, Sender<Result<(), Refusal>>>,
    /// Queries of each source that the kernel has been told of.
    counted: HashMap<u64, u64>,
    /// Ends of attempts that could not begin. Only others may wait for room in the inbox.
    unbegun: VecDeque<Event<Box<Product>>>,
}

impl Keeper {
    fn serve(mut self, messages: Receiver<Message>, bell: &Receiver<()>, hearing: Sender<Never>) {
        loop {
            let patience = self.patience();
            select! {
                recv(messages) -> message => match message {
                    Ok(Message::Stop) | Err(_) => break,
                    Ok(message) => {
                        self.stirred = Instant::now();
                        self.handle(message);
                    }
                },
                recv(bell) -> _ => self.stirred = Instant::now(),
                default(patience) => {}
            }
            self.catalogue.doze.end();
            self.take_releases();
            self.look_around();
        }
        // Whoever waits for an answer waits no longer.
        drop(hearing);
        self.step(Event::Stopping);
        self.loader.stop(Duration::ZERO);
        self.finish_saves(&messages);
        // Nor does who waits for room in the inbox; the janitor is among them.
        drop(messages);
        if !self.loader.stop(self.stop_patience) {
            warn!("a scan does not stop; it is left behind");
        }
        self.transitions.end();
        if let Some(saver) = self.saver {
            saver.stop();
        }
        self.janitor.stop();
    }

    /// Waits until everything that was in memory is on disk, for a limited time.
    fn finish_saves(&mut self, messages: &Receiver<Message>) {
        let until = Instant::now() + SAVE_PATIENCE;
        while self.saving > 0 {
            match messages.recv_deadline(until) {
                Ok(Message::Event(event @ Event::SaveEnded { .. })) => self.save_ended(event),
                // Whoever sent it is not answered.
                Ok(_) => {}
                Err(_) => {
                    warn!("saving takes too long; what is not on disk is scanned again");
                    break;
                }
            }
        }
        if let Some(saver) = &self.saver {
            saver.cancel();
        }
    }

    fn save_ended(&mut self, event: Event<Box<Product>>) {
        self.saving -= 1;
        self.step(event);
        // What it compressed with is free now.
        self.janitor.take(());
    }

    /// How long nothing has to be done.
    fn patience(&mut self) -> Duration {
        let asleep = self.falls_asleep();
        let now = Instant::now();
        let look = if asleep { now + LONGEST_SLEEP } else { self.polled + self.poll_every() };
        let due = self.kernel.next_due().map(|due| self.origin + due);
        due.map_or(look, |due| due.min(look)).saturating_duration_since(now)
    }

    /// Whether nothing needs looking at until somebody rings.
    fn falls_asleep(&mut self) -> bool {
        if self.is_wakeful() {
            return false;
        }
        self.catalogue.doze.begin();
        // Queries from here on ring. Those before are counted, and keep it awake.
        self.count_queries();
        let asleep = !self.is_wakeful();
        if !asleep {
            self.catalogue.doze.end();
        }
        asleep
    }

    fn is_wakeful(&self) -> bool {
        let totals = self.totals.load();
        let working = totals.attempts + totals.queued + self.saving > 0;
        let short = totals.pressure != Pressure::None || totals.held_bytes > totals.budget_bytes;
        let unwarned = self.gauge.is_some() && !self.alarm.as_ref().is_some_and(|alarm| alarm.works());
        let stirred = self.stirred.elapsed() < self.wakeful;
        working || short || unwarned || stirred || !self.catalogue.leases.is_empty()
    }

    fn poll_every(&self) -> Duration {
        if self.totals.load().attempts > 0 { BUSY_POLL.min(self.poll) } else { self.poll }
    }

    fn handle(&mut self, message: Message) {
        // What was used a moment ago must not be what gives way.
        self.count_queries();
        match message {
            Message::Event(event @ Event::SaveEnded { .. }) => self.save_ended(event),
            Message::Event(event) => {
                let ended = match &event {
                    Event::Ended { shard, attempt, .. } => Some((*shard, *attempt)),
                    _ => None,
                };
                self.step(event);
                if let Some((shard, attempt)) = ended {
                    self.attempt_over(shard, attempt);
                    // What it worked with is free now.
                    self.janitor.take(());
                }
            }
            Message::Operate { command, reply } => {
                self.tickets += 1;
                self.replies.insert(self.tickets, reply);
                self.step(Event::Operator { ticket: self.tickets, command });
            }
            Message::Claim { shard, reply } => {
                self.step(Event::Claimed(shard));
                // Whoever asked may have given up.
                let _ = reply.send(());
            }
            Message::Consult { shard, reply } => {
                self.step(Event::Consulted(shard));
                let _ = reply.send(());
            }
            Message::Add { shard, forecast_bytes, stored, reply } => {
                self.step(Event::Add { shard, forecast_bytes, stored });
                let _ = reply.send(());
            }
            Message::Advance { shard, from, body, advance, reply } => {
                self.step(Event::Advanced { shard, from, body, advance });
                let known = self.catalogue.get(shard.0);
                let _ = reply.send(known.map_or(0, |shard| shard.view.generation));
            }
            Message::Change { shard, changes, reply } => {
                self.step(Event::Changed { shard, changes });
                let _ = reply.send(());
            }
            Message::Stop => {}
        }
    }

    /// Tells those who follow the source that what the attempt made is in the catalogue, or will never be.
    fn attempt_over(&self, shard: ShardId, attempt: AttemptId) {
        let Some(shard) = self.catalogue.get(shard.0) else { return };
        let proven = shard.published.as_ref().filter(|body| !shard.view.uncompared && !body.is_compared());
        if let Some(published) = proven {
            published.compared.store(true, Ordering::Release);
            self.catalogue.update(shard.id(), |shard| shard.known = Some(published.known()));
        }
        shard.source.track.attempt_over(attempt);
    }

    fn take_releases(&mut self) {
        let released = self.releases.take();
        if released.is_empty() {
            return;
        }
        for (shard, generation) in released {
            self.step(Event::Released { shard, generation });
        }
        // The pages are still the allocator's.
        self.janitor.take(());
    }

    fn look_around(&mut self) {
        let now = Instant::now();
        if self.kernel.next_due().is_some_and(|due| self.origin + due <= now) {
            // What was used a moment ago is not idle.
            self.count_queries();
            self.step(Event::Tick);
        }
        if now.saturating_duration_since(self.polled) < self.poll_every() {
            return;
        }
        self.polled = now;
        self.catalogue.leases.sweep(now);
        self.count_queries();
        for (shard, attempt, needed_bytes) in self.loader.needs() {
            self.step(Event::Grew { shard, attempt, needed_bytes });
        }
        if let Some(held) = self.allocator.as_ref().and_then(|allocator| allocator.held_bytes()) {
            self.step(Event::MemoryHeld(held));
        }
        self.look_at_pressure(now);
    }

    fn look_at_pressure(&mut self, now: Instant) {
        if now.saturating_duration_since(self.gauged) < self.poll {
            return;
        }
        self.gauged = now;
        let Some(gauge) = &mut self.gauge else { return };
        let level = match gauge.sample(now - self.origin) {
            Level::None => Pressure::None,
            Level::Some => Pressure::Some,
            Level::Critical => Pressure::Critical,
        };
        self.step(Event::Pressure(level));
    }

    /// Tells the kernel which shards were queried since it was last told.
    fn count_queries(&mut self) {
        let shards = self.catalogue.load();
        if self.counted.len() > shards.len() {
            self.counted.retain(|id, _| shards.iter().any(|shard| shard.id() == *id));
        }
        let mut fresh: Vec<(i64, ShardId, u64)> = Vec::new();
        for shard in shards.iter() {
            let (total, last) = shard.source.queries();
            let counted = self.counted.entry(shard.id()).or_default();
            if total > *counted {
                fresh.push((last.unwrap_or_default(), ShardId(shard.id()), total - *counted));
                *counted = total;
            }
        }
        drop(shards);
        if !fresh.is_empty() {
            self.stirred = Instant::now();
        }
        fresh.sort_unstable();
        for (_, shard, queries) in fresh {
            self.step(Event::Touched { shard, queries });
        }
    }

    fn step(&mut self, event: Event<Box<Product>>) {
        let mut next = Some(event);
        while let Some(event) = next {
            let effects = self.kernel.step(self.origin.elapsed(), event);
            // Whoever sees the new catalogue sees sums that are as new.
            self.totals.store(Arc::new(self.kernel.totals()));
            let moves = self.describe_moves(&effects);
            let (saves, after) = self.publish(effects);
            moves.into_iter().for_each(|event| self.tell(event));
            saves.into_iter().for_each(|save| self.save(save));
            after.iter().for_each(|effect| self.carry_out(effect));
            next = self.unbegun.pop_front();
        }
    }

    /// Puts into the catalogue what belongs there; gives back what is to be saved, and the other effects.
    fn publish(&mut self, effects: Vec<Effect<Box<Product>>>) -> (Vec<Save>, Vec<Effect<Box<Product>>>) {
        let Entered { garbage, saves, after } = publish(&self.catalogue, &self.releases, effects);
        if !garbage.is_empty() {
            self.janitor.take(garbage);
        }
        (saves, after)
    }

    fn save(&mut self, save: Save) {
        self.saving += 1;
        match &self.saver {
            Some(saver) => saver.take(save),
            None => {
                let (shard, generation) = (ShardId(save.source.info.id), save.published.generation);
                let result = Err("snapshots are switched off".to_owned());
                self.saving -= 1;
                self.unbegun.push_back(Event::SaveEnded { shard, generation, result });
            }
        }
    }

    fn carry_out(&mut self, effect: &Effect<Box<Product>>) {
        match effect {
            Effect::Start { shard, attempt, job, .. } => {
                let (shard, attempt) = (*shard, *attempt);
                let inbox = self.inbox.clone();
                let begun = self.loader.start(shard, attempt, job.clone(), move |outcome| {
                    let _ = inbox.send(Message::Event(Event::Ended { shard, attempt, outcome }));
                });
                if let Err(error) = begun {
                    let outcome = Outcome::Failed(format!("no thread can be started: {error}"));
                    self.unbegun.push_back(Event::Ended { shard, attempt, outcome });
                }
            }
            Effect::Cancel { attempt, .. } => self.loader.cancel(*attempt),
            Effect::Overdue { shard, generation, bytes } => {
                warn!(source = self.name(*shard), generation, bytes, "a replaced index is still being read");
            }
            Effect::Reply { ticket, result } => {
                if let Some(reply) = self.replies.remove(ticket) {
                    let _ = reply.send(*result);
                }
            }
            // Told and in the catalogue already.
            Effect::Transition(_)
            | Effect::Publish { .. }
            | Effect::ShowDigest { .. }
            | Effect::Save { .. }
            | Effect::Park(_)
            | Effect::Drop(_)
            | Effect::Forget(_)
            | Effect::Show { .. } => {}
        }
    }

    /// The moves among the effects, described while forgotten shards still have a name.
    fn describe_moves(&self, effects: &[Effect<Box<Product>>]) -> Vec<TransitionEvent> {
        let moves = effects.iter().filter_map(|effect| match effect {
            Effect::Transition(transition) => Some(transition),
            _ => None,
        });
        moves.map(|transition| describe(transition, self.name(transition.shard))).collect()
    }

    fn tell(&self, event: TransitionEvent) {
        let TransitionEvent { source, from, to, bytes, generation, .. } = &event;
        let reason = event.reason.as_str();
        info!(event = "shard.transition", source, from, to, reason, bytes, generation);
        self.transitions.send(event);
    }

    fn name(&self, shard: ShardId) -> String {
        let known = self.catalogue.get(shard.0);
        known.map_or_else(|| shard.0.to_string(), |shard| shard.source.info.name.clone())
    }
}

fn describe(transition: &Transition, source: String) -> TransitionEvent {
    let Transition { shard, step, reason, bytes, generation } = *transition;
    let (axis, from, to) = match step {
        Step::Tier { from, to } => (Axis::Tier, from.as_str(), to.as_str()),
        Step::Health { from, to } => (Axis::Health, from.as_str(), to.as_str()),
    };
    let at_ns = clock::now_ns();
    TransitionEvent { sequence: 0, at_ns, id: shard.0, source, axis, from, to, reason, bytes, generation }
}

/// `None` if it cannot be started, which is said.
fn start_alarm(mut alarm: Box<dyn Alarm>, bell: Sender<()>) -> Option<Box<dyn Alarm>> {
    let ring = move || {
        // A bell that rings already is as good.
        let _ = bell.try_send(());
    };
    let started = alarm.start(Box::new(ring));
    let told = started.inspect_err(|error| warn!(%error, "memory pressure cannot be waited for"));
    told.is_ok().then_some(alarm)
}

fn start_saver(
    snapshots: Arc<Snapshots>,
    catalogue: &Arc<Catalogue>,
    inbox: &Sender<Message>,
) -> Result<Saver, ServiceError> {
    let inbox = inbox.clone();
    Saver::start(snapshots, Arc::clone(catalogue), move |(id, generation, result)| {
        let shard = ShardId(id);
        let _ = inbox.send(Message::Event(Event::SaveEnded { shard, generation, result }));
    })
}

#[cfg(test)]
pub(crate) mod tests;
