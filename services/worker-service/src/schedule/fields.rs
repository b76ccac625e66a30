//! What the parser of cron expressions takes, and nobody can mean: steps that never come to a second value, and ranges that go backwards.

/// The ranges of the fields, seconds first; on weekdays 0 is Sunday, and 7 as well.
const RANGES: [(u32, u32); 6] = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
/// Names of months from 1 on, and of weekdays from 0 on.
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Looks at each part of each field. What is no expression at all passes: the parser says that.
///
/// # Errors
/// The first part that is wrong, and what is wrong with it.
pub(super) fn check(cron: &str) -> Result<(), String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    // with five fields there are no seconds
    let Some(missing) = RANGES.len().checked_sub(fields.len()) else { return Ok(()) };
    for (field, range) in fields.iter().zip(RANGES.iter().skip(missing)) {
        for part in field.split(',') {
            check_part(part, *range)?;
        }
    }
    Ok(())
}

fn check_part(part: &str, (least, most): (u32, u32)) -> Result<(), String> {
    let (values, step) = match part.split_once('/') {
        Some((values, step)) => (values, step.parse::<u32>().ok()),
        None => (part, None),
    };
    let range = match values.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => Some((least, most)),
    };
    let Some((first, last)) = range else { return Ok(()) };
    // a week may end with its Sunday
    let last = if last == 0 && values.to_uppercase().ends_with("-SUN") { 7 } else { last };
    if first > last {
        return Err(format!("{part}: a range begins with its smaller end"));
    }
    if step.is_some_and(|step| step > last - first) {
        return Err(format!("{part}: the step is larger than the range {first}-{last}"));
    }
    Ok(())
}

fn number(text: &str) -> Option<u32> {
    let place = |names: &[&str]| names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let named = place(&WEEKDAYS).or_else(|| place(&MONTHS).map(|month| month + 1));
    named.and_then(|number| u32::try_from(number).ok()).or_else(|| text.parse().ok())
}
