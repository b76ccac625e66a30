//! What of an error is for everybody.

/// Most bytes of what [`short_error`] gives.
const MAX_BYTES: usize = 500;

/// The error of a failure as the job's owner is told it: one line, at most 500 bytes. Workers report whole stacks, with the paths and modules of programs that
/// are nobody's business but that of whoever looks after them.
///
/// It is the first line, if that says something and is no part of a stack; else the first one that is no frame; in a trace of Python, where the error comes
/// last, the first one after the frames. The module in front of an error's name is left out.
pub fn short_error(error: &str) -> String {
    let lines: Vec<&str> = error.lines().skip_while(|line| line.trim().is_empty()).collect();
    let begin = if begins_with_the_error(&lines) {
        0
    } else {
        lines.iter().rposition(|line| is_header(line) || is_frame(line)).map_or(0, |mark| mark + 1)
    };
    let mut said = lines[begin..].iter().filter(|line| !line.trim().is_empty() && is_said(line));
    let Some(line) = said.next() else { return "It failed".to_owned() };
    let line = without_module(line.trim());
    let mut end = line.len().min(MAX_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].to_owned()
}

/// How a trace of Python begins.
fn is_header(line: &str) -> bool {
    line.contains("Traceback (most recent call last)")
}

/// A frame of it.
fn is_frame(line: &str) -> bool {
    line.trim_start().starts_with("File \"")
}

/// Whether the worker said the error before it gave a stack. A stack whose beginning was cut off may begin with any part of a frame: what stands before `, line 3`,
/// or the name of a function, which its source follows.
fn begins_with_the_error(lines: &[&str]) -> bool {
    let Some((first, rest)) = lines.split_first() else { return false };
    let is_source =
        |line: &&str| line.starts_with(char::is_whitespace) && !line.trim().is_empty() && !is_frame(line);
    let goes_on =
        || rest.iter().find(|line| is_header(line) || is_frame(line)).is_some_and(|line| is_frame(line));
    let is_cut = first.contains("\", line ") || rest.first().is_some_and(is_source) && goes_on();
    is_said(first) && !is_header(first) && !is_frame(first) && !is_cut
}

/// Whether a line says something, and is no part of a stack.
fn is_said(line: &str) -> bool {
    let is_indented = line.starts_with(char::is_whitespace);
    // where Rust panicked; what it said comes in the next line
    let is_place = line.starts_with("thread '") && line.contains(" panicked at ");
    // `/srv/app/index.js:17`, as Node begins
    let is_path = line.contains(['/', '\\'])
        && !line.contains(' ')
        && line.rsplit_once(':').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    !is_indented && !is_place && !is_path
}

/// `ConnectionError: no route` of `requests.exceptions.ConnectionError: no route`.
fn without_module(line: &str) -> &str {
    let name = line.split(": ").next().unwrap_or(line).trim_end_matches(':');
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
    };
    match name.rsplit_once('.') {
        Some((module, class))
            if class.starts_with(char::is_uppercase) && is_word(class) && module.split('.').all(is_word) =>
        {
            &line[module.len() + 1..]
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_job_is_told_the_error_and_no_stack() {
        let python = "Traceback (most recent call last):\n  File \"/srv/worker/app.py\", line 3, in run\n    convert(job)\n  File \"/srv/worker/convert.py\", line 9, in convert\n    raise ValueError(\"no paper\")\nValueError: no paper\n";
        let chained = format!(
            "{python}\nDuring handling of the above exception, another exception occurred:\n\n{}",
            python.replace("ValueError: no paper", "app.errors.PrinterError: jammed\nopen the door")
        );
        let java = "java.lang.IllegalStateException: no paper\n\tat org.example.Printer.run(Printer.java:17)\nCaused by: java.io.IOException: x";
        let node = "/srv/app/index.js:17\n    throw new Error('no paper');\n    ^\n\nError: no paper\n    at run (/srv/app/index.js:17:11)";
        let rust = "thread 'main' panicked at src/main.rs:4:5:\nno paper\nnote: run with `RUST_BACKTRACE=1`";
        for (error, short) in [
            ("no paper", "no paper"),
            ("no paper\nsecond line", "no paper"),
            (python, "ValueError: no paper"),
            (&python[60..], "ValueError: no paper"),
            (&python[72..], "ValueError: no paper"),
            (&*chained, "PrinterError: jammed"),
            (&*format!("the report could not be made\n{python}"), "the report could not be made"),
            (&*format!("\nthe report could not be made\n\n{chained}"), "the report could not be made"),
            (&*format!("ReportError: not made\n\n{}", &python[60..]), "ReportError: not made"),
            ("not made\n  File \"/srv/worker/app.py\", line 3, in run\n    convert(job)\n", "not made"),
            (java, "IllegalStateException: no paper"),
            ("Error: no paper\n    at run (/srv/app/index.js:17:11)", "Error: no paper"),
            (node, "Error: no paper"),
            (rust, "no paper"),
            ("panic: no paper\n\ngoroutine 1 [running]:\nmain.main()", "panic: no paper"),
            ("requests.exceptions.ConnectionError", "ConnectionError"),
            ("report.pdf: not found", "report.pdf: not found"),
            ("example.org: no answer", "example.org: no answer"),
            ("ends at 12:30", "ends at 12:30"),
            ("", "It failed"),
            ("\n  File \"/srv/app.py\", line 3\n", "It failed"),
        ] {
            assert_eq!(short_error(error), short, "{error}");
        }
        assert_eq!(short_error(&"ä".repeat(400)), "ä".repeat(250));
        assert_eq!(short_error(&format!("x{}", "ä".repeat(400))).len(), 499);
    }
}
