//! How the story reads: colour and times for people, one JSON object for each event for programs.

use std::{io::IsTerminal as _, time::Instant};

use anstyle::{AnsiColor, Style};
use serde_json::json;

/// The voice.
pub struct Telling {
    json: bool,
    colour: bool,
    began: Instant,
    events: usize,
}

impl Telling {
    /// A voice that begins now.
    pub fn new(json: bool) -> Self {
        Self { json, colour: std::io::stdout().is_terminal(), began: Instant::now(), events: 0 }
    }

    fn style(&self, style: Style) -> Style {
        if self.colour { style } else { Style::new() }
    }

    /// A new chapter.
    pub fn chapter(&mut self, title: &str) {
        if self.json {
            self.event("chapter", title);
        } else {
            let style = self.style(Style::new().bold().fg_color(Some(AnsiColor::Cyan.into())));
            println!("\n{style}{title}{style:#}");
        }
    }

    /// Something that happened.
    pub fn event(&mut self, kind: &str, words: &str) {
        self.events += 1;
        let ms = self.began.elapsed().as_millis();
        if self.json {
            println!("{}", json!({ "event": kind, "ms": ms, "text": words }));
            return;
        }
        let colour = match kind {
            "seen" | "effective" => AnsiColor::Green,
            "refused" | "declined" | "killed" | "live" => AnsiColor::Yellow,
            _ => AnsiColor::White,
        };
        let style = self.style(Style::new().fg_color(Some(colour.into())));
        println!("  {:>6.1}s  {style}{words}{style:#}", ms as f64 / 1_000.0);
    }

    /// The last word.
    pub fn report(&self, rows: usize) {
        let ms = self.began.elapsed().as_millis();
        if self.json {
            println!(
                "{}",
                json!({ "report": { "events": self.events, "rows": rows, "ms": ms, "seen": "everything" } })
            );
        } else {
            println!(
                "\nEverything was seen: {} events, {rows} topology rows, {:.1} s.",
                self.events,
                ms as f64 / 1_000.0
            );
        }
    }
}
