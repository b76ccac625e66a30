//! Searches for words of which some are frequent: the others lead.

use common::files::search::Rank;

use super::super::candidates::{self, Question};
use super::super::frequent::Sample;
use super::super::seen::{At, Seen};
use super::{Bounds, Look, SHORT_WORD};

/// What a node is to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Wanted,
    /// It was found at a better rank.
    Better,
    /// It has not all words, or is left out.
    Missed,
}

/// What one that is missed costs of the patience.
const MISSED: usize = 8;

impl Held {
    /// Takes what it costs from the patience; false if that is over.
    pub(super) fn is_borne(self, patience: &mut usize) -> bool {
        let cost = match self {
            Self::Wanted => 0,
            Self::Better => 1,
            Self::Missed => MISSED,
        };
        let left = patience.checked_sub(cost);
        *patience = left.unwrap_or(0);
        left.is_some()
    }
}

impl Look<'_> {
    fn sample(&mut self) -> rusqlite::Result<&Sample> {
        let sample = match self.sample.take() {
            Some(sample) => sample,
            None => {
                let Self { connection, place, query, bounds, .. } = self;
                Sample::take(connection, place.space, &query.words, bounds.sample)?
            }
        };
        Ok(self.sample.insert(sample))
    }

    pub(super) fn latest_may_have_all(&mut self) -> rusqlite::Result<bool> {
        if self.query.words.iter().all(|word| word.chars().count() <= SHORT_WORD) {
            return Ok(true);
        }
        let sample = self.sample()?;
        Ok(sample.has_one_at(Rank::NamePrefix)
            && sample.frequent(Rank::NamePrefix).iter().all(|is_frequent| *is_frequent))
    }

    /// Asks the index for the words that are not frequent, and holds each node that these find against all words. Adds nothing and is false if there are no such
    /// words beside others, or if that takes longer than to ask for all.
    pub(super) fn led(&mut self, rank: Rank, after: At, found: &mut Vec<At>) -> rusqlite::Result<bool> {
        if self.query.words.len() < 2 || self.is_led_astray {
            return Ok(false);
        }
        let leads: Vec<bool> =
            self.sample()?.frequent(rank).into_iter().map(|is_frequent| !is_frequent).collect();
        if leads.iter().all(|leads| *leads) || !leads.contains(&true) {
            return Ok(false);
        }
        let before = found.len();
        let is_led = self.follow(rank, self.words.led_by(&leads, rank), after, found)?;
        if !is_led {
            found.truncate(before);
            self.is_led_astray = true;
        }
        Ok(is_led)
    }

    fn follow(&self, rank: Rank, question: String, after: At, found: &mut Vec<At>) -> rusqlite::Result<bool> {
        let &Bounds { many, very_many, misses, batch, .. } = self.bounds;
        let rows = candidates::rows_of_names(self.connection, &question, very_many)?;
        let count = rows.len() as u64;
        if count >= very_many {
            return Ok(false);
        }
        let held = |seen: &Seen<'_>| self.held(rank, seen);
        let mut patience = misses.saturating_mul(MISSED);
        if count >= many {
            let page = self.among(&rows, after, patience, held)?;
            return Ok(page.map(|page| found.extend(page)).is_some());
        }
        let full = found.len() + self.query.limit as usize;
        let (latest, is_all) =
            candidates::latest(self.connection, &[Question::Names(question)], after, batch)?;
        for at in latest {
            let held = self.look_up(at, held)?.unwrap_or(Held::Missed);
            if !held.is_borne(&mut patience) {
                return Ok(false);
            }
            if held == Held::Wanted {
                found.push(at);
                if found.len() >= full {
                    return Ok(true);
                }
            }
        }
        Ok(is_all)
    }

    /// A node that the index was asked for by some of the words alone, at a rank or a better one.
    fn held(&self, rank: Rank, seen: &Seen<'_>) -> rusqlite::Result<Held> {
        if !self.has(seen)? {
            return Ok(Held::Missed);
        }
        Ok(match self.rank(seen)? {
            Some(of) if of == rank => Held::Wanted,
            Some(of) if of < rank => Held::Better,
            _ => Held::Missed,
        })
    }

    /// The word that the fewest names and texts have, of which so many texts have each; and how many that are, counted no further than it must.
    pub(super) fn rarest(&mut self, in_texts: &[u64]) -> rusqlite::Result<(u64, usize)> {
        let most = self.bounds.many_texts;
        let frequent = self.sample()?.frequent(Rank::TagPrefix);
        let mut numbers: Vec<usize> = (0..in_texts.len()).collect();
        numbers.sort_by_key(|number| frequent[*number]);
        let mut rarest = (u64::MAX, 0);
        for number in numbers {
            // beside one that few have it is hardly rarer, and counting all that begins so takes long
            if frequent[number] && rarest.0 < most {
                continue;
            }
            let mut in_names =
                candidates::count_names(self.connection, &self.words.whole_in_any_name(number), most)?;
            if in_names < most {
                in_names = candidates::count_names(self.connection, &self.words.in_any_name(number), most)?;
            }
            rarest = rarest.min((in_names + in_texts[number], number));
        }
        Ok(rarest)
    }
}

#[cfg(test)]
mod tests;
