//! Medians, as tables.

use std::collections::BTreeMap;

/// Collects figures by workload, measure and contestant.
#[derive(Default)]
pub(crate) struct Report {
    figures: BTreeMap<(String, String), BTreeMap<&'static str, Vec<f64>>>,
    notes: Vec<String>,
}

impl Report {
    /// Takes one round's figure. `measure` names the unit too, such as `req/s`.
    pub(crate) fn add(&mut self, workload: &str, measure: &str, contestant: &'static str, figure: f64) {
        self.figures
            .entry((workload.to_owned(), measure.to_owned()))
            .or_default()
            .entry(contestant)
            .or_default()
            .push(figure);
    }

    /// Takes what a reader has to know beside the figures, such as who syncs what.
    pub(crate) fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Prints a table: a row a measure, a column a contestant, and ours as a ratio to each peer.
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    pub(crate) fn print(&self) {
        if self.figures.is_empty() {
            return;
        }
        println!("\n| workload | measure | files-manager | beside |\n|---|---|---|---|");
        for ((workload, measure), contestants) in &self.figures {
            let ours = contestants.get(crate::contestants::OURS).map(|figures| median(figures));
            let peers: Vec<_> = contestants
                .iter()
                .filter(|(name, _)| **name != crate::contestants::OURS)
                .map(|(name, figures)| {
                    let theirs = median(figures);
                    let ratio =
                        ours.map(|ours| format!(" (ours {:.2} ×)", ours / theirs)).unwrap_or_default();
                    format!("{name} {}{ratio}", show(theirs))
                })
                .collect();
            let ours = ours.map_or_else(|| "-".to_owned(), show);
            println!("| {workload} | {measure} | {ours} | {} |", peers.join(", "));
        }
        self.notes.iter().for_each(|note| println!("\n{note}"));
    }

    /// Prints a table with a column for each of these contestants that has figures, and a ratio to the first of them.
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    pub(crate) fn print_columns(&self, columns: &[&'static str]) {
        let has_figures =
            |name: &&&'static str| self.figures.values().any(|contestants| contestants.contains_key(**name));
        let columns: Vec<_> = columns.iter().filter(has_figures).collect();
        let names: Vec<_> = columns.iter().map(|name| **name).collect();
        println!("\n| workload | measure | {} |", names.join(" | "));
        println!("|---|---|{}", "---|".repeat(names.len()));
        for ((workload, measure), contestants) in &self.figures {
            let first = columns.first().and_then(|name| contestants.get(**name)).map(|all| median(all));
            let cells = columns.iter().enumerate().map(|(index, name)| {
                let Some(figure) = contestants.get(**name).map(|all| median(all)) else {
                    return String::new();
                };
                match first {
                    Some(first) if index > 0 => format!("{} ({:.2} ×)", show(figure), figure / first),
                    _ => show(figure),
                }
            });
            println!("| {workload} | {measure} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
}

/// The middle figure.
pub(crate) fn median(figures: &[f64]) -> f64 {
    percentile(figures, 0.5)
}

/// The figure below which this share lies.
pub(crate) fn percentile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn show(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.3}") }
}
