//! The world around the kernel: it turns operations into events, and gives the kernel the time.
//!
//! An operation that means nothing at its moment (the end of an attempt where none is in flight) is left out.
//! The same operations always give the same events.

use crate::books::Books;
use crate::script::{Act, Found, How, Leap, Mix, Op, Order, Saved, Wait, Who};
use crate::twin::{Body, Sizes};
use hearth_residency::{
    Advance, AttemptId, ChangeSet, Command, Event, Generation, Kernel, Measured, Moment, Outcome, Places,
    Pressure, ShardId, Ticket,
};
use std::time::Duration;

/// Bodies that no attempt made have numbers from here on.
const ADVANCED: Body = 1 << 40;

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct World {
    pub(crate) kernel: Kernel<Body>,
    pub(crate) books: Books,
    /// Time as the events carry it.
    at: Moment,
    /// How often a slot was filled.
    fillings: Vec<u64>,
    ended: Vec<(ShardId, AttemptId)>,
    released: Option<(ShardId, Generation)>,
    tickets: Ticket,
    clock: u64,
    advances: Body,
    pub(crate) steps: u64,
    /// Events in words, if they are wanted.
    pub(crate) log: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(mix: &Mix) -> Self {
        let sizes = Sizes { unit: mix.policy.budget_bytes / mix.fitting };
        Self {
            kernel: Kernel::new(mix.policy.clone()),
            books: Books::new(mix, sizes),
            at: Moment::from_secs(10),
            fillings: vec![0; usize::from(mix.slots)],
            ended: Vec::new(),
            released: None,
            tickets: 0,
            clock: 0,
            advances: 0,
            steps: 0,
            log: None,
        }
    }

    /// Does an operation.
    pub(crate) fn perform(&mut self, op: &Op) -> Result<(), String> {
        self.wait(op.wait);
        match op.act {
            Act::ReleaseAll => return self.release_all(),
            Act::Restart => return self.restart(),
            Act::Advance { who, times, leap } => return self.advance(who, times, leap),
            _ => {}
        }
        let Some(event) = self.event(op.act) else { return Ok(()) };
        self.perform_now(event)
    }

    /// The process ends as it is. Another begins with the same sources and what is on disk of them.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        let sources: Vec<_> = self.books.twins.iter().flatten().map(|twin| (twin.id, twin.stored)).collect();
        self.log.iter_mut().for_each(|log| log.push("another process begins".to_owned()));
        self.kernel = Kernel::new(self.books.policy.clone());
        // A process may begin at any time, but what it waits for is judged by the latest there was.
        self.at = self.at.max(self.books.now);
        self.books.restart();
        (self.ended, self.released) = (Vec::new(), None);
        self.inject(Event::Tick)?;
        for (shard, stored) in sources {
            let forecast_bytes = self.books.sizes.forecast(shard);
            self.inject(Event::Add { shard, forecast_bytes, stored })?;
        }
        Ok(())
    }

    /// Every holder of a body that was given up lets go of it.
    pub(crate) fn release_all(&mut self) -> Result<(), String> {
        while let Some(event) = self.release(0) {
            self.perform_now(event)?;
        }
        Ok(())
    }

    /// Lets the kernel do what is due. What ends so may make due what rested for it, once.
    pub(crate) fn tick(&mut self) -> Result<(), String> {
        self.inject(Event::Tick)?;
        if self.kernel.next_due().is_none_or(|due| due > self.books.now) {
            return Ok(());
        }
        self.inject(Event::Tick)?;
        match self.kernel.next_due() {
            Some(due) if due <= self.books.now => {
                Err(format!("no busy loop: after ticks at {:?} the next is due at {due:?}", self.books.now))
            }
            _ => Ok(()),
        }
    }

    /// One step of the kernel, and every rule.
    pub(crate) fn inject(&mut self, event: Event<Body>) -> Result<(), String> {
        self.steps += 1;
        if let Some(log) = &mut self.log {
            log.push(format!("{:>12.3} s  {event:?}", self.at.as_secs_f64()));
        }
        let before = self.books.before(self.at, &event);
        let effects = self.kernel.step(self.at, event);
        let result = self.books.after(&self.kernel, before, &effects);
        if let (Some(log), Err(_)) = (&mut self.log, &result) {
            log.extend(effects.iter().map(|effect| format!("{:>16}{effect:?}", "→ ")));
        }
        result?;
        if self.steps.is_multiple_of(64) { self.books.audit(&self.kernel) } else { Ok(()) }
    }

    /// Goes to when the kernel wants to be woken, and wakes it; false if it does not want to be.
    pub(crate) fn skip_to_due(&mut self) -> Result<bool, String> {
        let Some(due) = self.kernel.next_due() else { return Ok(false) };
        self.at = self.at.max(due);
        self.tick()?;
        Ok(true)
    }

    fn wait(&mut self, wait: Wait) {
        let due = self.kernel.next_due().filter(|due| *due < self.at + DAY).unwrap_or(self.at);
        self.at = match wait {
            Wait::None => self.at,
            Wait::Millis(millis) => self.at + Duration::from_millis(millis),
            Wait::UntilDue => self.at.max(due),
            Wait::BeyondDue(millis) => self.at.max(due) + Duration::from_millis(millis),
            Wait::Back(millis) => self.at.saturating_sub(Duration::from_millis(millis)),
        };
    }

    fn id(&self, who: Who) -> ShardId {
        let slot = usize::from(who.slot);
        number(slot, self.fillings[slot].saturating_sub(u64::from(who.ghost)))
    }

    fn event(&mut self, act: Act) -> Option<Event<Body>> {
        Some(match act {
            Act::Tick => Event::Tick,
            Act::Add(slot) => self.addition(usize::from(slot)),
            Act::Touch(who, queries) => Event::Touched { shard: self.id(who), queries: u64::from(queries) },
            Act::Hint(whose) => Event::Hinted(whose.map(|who| self.id(who)).to_vec()),
            Act::Claim(who) => Event::Claimed(self.id(who)),
            Act::Settle(who) => Event::Settled(self.id(who)),
            Act::Change { who, class, paths, flags } => {
                self.clock += 1;
                let places = places(paths);
                let changes = ChangeSet { places, flags: u32::from(flags), class, clock: self.clock };
                Event::Changed { shard: self.id(who), changes }
            }
            Act::Grow { pick, percent } => {
                let flight = self.books.pick(pick, |_| true)?;
                let needed_bytes = flight.reserved * percent / 100;
                Event::Grew { shard: flight.shard, attempt: flight.id, needed_bytes }
            }
            Act::End { pick, how } => self.end(pick, how, false)?,
            Act::EndHung { pick, how } => self.end(pick, how, true)?,
            Act::EndAgain(pick) => {
                let (shard, attempt) = *self.ended.get(usize::from(pick) % self.ended.len().max(1))?;
                let measured = Measured { body_bytes: 77, digest_bytes: 7, peak_bytes: 777 };
                Event::Ended {
                    shard,
                    attempt,
                    outcome: Outcome::Built { body: attempt.0, measured, behind: false },
                }
            }
            Act::Release(pick) => self.release(usize::from(pick))?,
            Act::Consult(who) => Event::Consulted(self.id(who)),
            Act::EndSave { pick, how } => self.end_save(pick, how)?,
            Act::EndSaveAgain(who) => {
                let (shard, generation) = (self.id(who), 1000);
                Event::SaveEnded {
                    shard,
                    generation,
                    result: Ok(self.books.sizes.snapshot(shard, 1000, 1, 1)),
                }
            }
            Act::Stop => Event::Stopping,
            Act::ReleaseAll | Act::Restart | Act::Advance { .. } => return None,
            Act::ReleaseAgain(who) => match self.books.twin(self.id(who)) {
                Some(twin) => Event::Released { shard: twin.id, generation: twin.generation + 1 },
                None => {
                    let (shard, generation) = self.released?;
                    Event::Released { shard, generation }
                }
            },
            Act::Memory(percent) => Event::MemoryHeld(self.books.really_held() * percent / 100),
            Act::Press(level) => Event::Pressure(level),
            Act::Command(order) => {
                self.tickets += 1;
                Event::Operator { ticket: self.tickets, command: self.command(order) }
            }
        })
    }

    /// Changes come in a row, a millisecond apart, each to the body that the one before it made.
    fn advance(&mut self, who: Who, times: u8, leap: Leap) -> Result<(), String> {
        for _ in 0..times {
            let event = self.advanced(self.id(who), leap);
            self.perform_now(event)?;
            let replaced =
                |kept: &crate::twin::Kept| kept.shard == self.id(who) && kept.since == self.books.now;
            if !leap.held
                && let Some(at) = self.books.kept.iter().position(replaced)
                && let Some(event) = self.release(at)
            {
                self.perform_now(event)?;
            }
            self.at += Duration::from_millis(1);
        }
        Ok(())
    }

    fn advanced(&mut self, shard: ShardId, leap: Leap) -> Event<Body> {
        let (body, advance) = self.next(shard, leap);
        let from = self.generation(shard).unwrap_or(1).saturating_add_signed(leap.stray);
        Event::Advanced { shard, from, body, advance }
    }

    fn generation(&self, shard: ShardId) -> Option<Generation> {
        self.books.twin(shard).map(|twin| twin.generation)
    }

    /// A body that follows the published one.
    fn next(&mut self, shard: ShardId, leap: Leap) -> (Body, Advance) {
        self.advances += 1;
        let source = self.books.sizes.body(shard);
        let before = self.books.twin(shard).map_or(0, |twin| twin.body_bytes);
        let growth = source / 1000 * leap.growth.unsigned_abs();
        let advance = Advance {
            body_bytes: if leap.growth < 0 { before.saturating_sub(growth) } else { before + growth },
            digest_bytes: source * leap.digest / 100,
            shared_bytes: before * leap.shared / 100,
            clock: self.clock.saturating_sub(leap.lag),
        };
        (ADVANCED + self.advances, advance)
    }

    fn compared(&mut self, shard: ShardId, of: Generation, found: Found, peak: u64) -> Outcome<Body> {
        let peak_bytes = self.books.sizes.body(shard) * peak / 100;
        let from = self.generation(shard).filter(|_| !found.early).unwrap_or(of);
        let from = from.saturating_add_signed(found.leap.map_or(0, |leap| leap.stray));
        Outcome::Compared { from, next: found.leap.map(|leap| self.next(shard, leap)), peak_bytes }
    }

    fn addition(&mut self, slot: usize) -> Event<Body> {
        if self.books.twins[slot].is_none() {
            self.fillings[slot] += 1;
        }
        let shard = number(slot, self.fillings[slot]);
        let sizes = self.books.sizes;
        Event::Add { shard, forecast_bytes: sizes.forecast(shard), stored: sizes.stored(shard) }
    }

    fn end(&mut self, pick: u8, how: How, hung: bool) -> Option<Event<Body>> {
        let sizes = self.books.sizes;
        let flight = self.books.pick(pick, |flight| flight.hung == hung)?;
        let (shard, attempt, told_to_stop) = (flight.shard, flight.id, !flight.running);
        let (of, digests, recalls) = (flight.of, flight.digest, flight.snapshot.is_some());
        let source = sizes.body(shard);
        let how = match how {
            How::Compared { lost: false, .. } if !flight.may_compare() => {
                How::Built { body: 100, digest: 2, peak: 120, fallen: false }
            }
            how => how,
        };
        let outcome = match how {
            How::Failed if pick.is_multiple_of(2) => {
                Outcome::Failed("panicked: index out of bounds".to_owned())
            }
            How::Failed => Outcome::Failed("no such folder".to_owned()),
            How::Stopped => Outcome::Cancelled,
            // Some notice that they are to stop, others are just done.
            How::Built { .. } if told_to_stop && pick.is_multiple_of(2) => Outcome::Cancelled,
            How::Compared { found, peak, .. } => self.compared(shard, of, found, peak),
            How::Built { digest, .. } if digests => {
                Outcome::Digested { body: attempt.0, digest_bytes: source * digest / 100 }
            }
            How::Built { body, digest, peak, fallen } => {
                let body_bytes = source * body / 100;
                let (digest_bytes, peak_bytes) = (source * digest / 100, body_bytes * peak / 100);
                Outcome::Built {
                    body: attempt.0,
                    measured: Measured { body_bytes, digest_bytes, peak_bytes },
                    behind: recalls && !fallen,
                }
            }
        };
        self.remember_end(shard, attempt);
        Some(Event::Ended { shard, attempt, outcome })
    }

    /// Ends the oldest attempt in flight well.
    pub(crate) fn end_well(&mut self) -> Option<Event<Body>> {
        let flight = self.books.flights.first()?;
        let (shard, attempt) = (flight.shard, flight.id);
        let body_bytes = self.books.sizes.body(shard);
        let measured = Measured { body_bytes, digest_bytes: body_bytes / 50, peak_bytes: body_bytes * 6 / 5 };
        let outcome = match flight.digest {
            true => Outcome::Digested { body: attempt.0, digest_bytes: body_bytes / 50 },
            false if flight.may_compare() && attempt.0.is_multiple_of(2) => {
                let from = self.generation(shard).unwrap_or_default();
                Outcome::Compared { from, next: None, peak_bytes: body_bytes / 20 }
            }
            false => Outcome::Built { body: attempt.0, measured, behind: flight.snapshot.is_some() },
        };
        Some(Event::Ended { shard, attempt, outcome })
    }

    fn end_save(&self, pick: u8, how: Saved) -> Option<Event<Body>> {
        let save = self.books.saves.get(usize::from(pick) % self.books.saves.len().max(1))?;
        let (shard, generation) = (save.shard, save.generation);
        let result = match how {
            Saved::Well { load, digest } => Ok(self.books.sizes.snapshot(shard, generation, load, digest)),
            Saved::Failed => Err("no space left on device".to_owned()),
        };
        Some(Event::SaveEnded { shard, generation, result })
    }

    /// Ends the oldest save in flight well.
    pub(crate) fn end_save_well(&self) -> Option<Event<Body>> {
        self.end_save(0, Saved::Well { load: 100, digest: 2 })
    }

    fn remember_end(&mut self, shard: ShardId, attempt: AttemptId) {
        if self.ended.len() >= 32 {
            self.ended.remove(0);
        }
        self.ended.push((shard, attempt));
    }

    pub(crate) fn release(&mut self, pick: usize) -> Option<Event<Body>> {
        let kept = self.books.kept.get(pick % self.books.kept.len().max(1))?;
        self.released = Some((kept.shard, kept.generation));
        Some(Event::Released { shard: kept.shard, generation: kept.generation })
    }

    fn command(&self, order: Order) -> Command {
        match order {
            Order::Preload(who, pin) => Command::Preload { shard: self.id(who), pin },
            Order::Pin(who) => Command::Pin(self.id(who)),
            Order::Unpin(who) => Command::Unpin(self.id(who)),
            Order::Hibernate(who) => Command::Hibernate(self.id(who)),
            Order::HibernateAll => Command::HibernateAll,
            Order::Refresh(who) => Command::Refresh(self.id(who)),
            Order::Forget(who, force) => Command::Forget { shard: self.id(who), force },
        }
    }

    /// The machine has memory again, nobody holds or claims anything and nothing is pinned.
    pub(crate) fn calm_down(&mut self) -> Result<(), String> {
        if self.books.stopping {
            self.restart()?;
        }
        self.inject(Event::Pressure(Pressure::None))?;
        let claims: Vec<(ShardId, u64)> =
            self.books.twins.iter().flatten().map(|twin| (twin.id, twin.claims)).collect();
        for (shard, claims) in claims {
            for _ in 0..claims {
                self.perform_now(Event::Settled(shard))?;
            }
            self.tickets += 1;
            self.perform_now(Event::Operator { ticket: self.tickets, command: Command::Unpin(shard) })?;
        }
        Ok(())
    }

    /// An event at once. The rules tell what is due from what the event asks for; both at once, for one
    /// shard, they cannot, so what is due comes first.
    pub(crate) fn perform_now(&mut self, event: Event<Body>) -> Result<(), String> {
        let due = self.kernel.next_due().is_some_and(|due| due <= self.at.max(self.books.now));
        if due && self.books.has_due(&event, self.at) {
            self.tick()?;
        }
        self.inject(event)
    }
}

/// The number of a slot's shard when it was filled so often.
fn number(slot: usize, filling: u64) -> ShardId {
    ShardId(slot as u64 + 64 * filling)
}

fn places(bits: u8) -> Places {
    if bits == 0 {
        return Places::Anywhere;
    }
    Places::Paths((0..8u8).filter(|bit| bits & (1 << bit) != 0).map(|bit| Box::from([bit])).collect())
}
