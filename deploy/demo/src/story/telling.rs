//! How the story reads: colour and times for people, one JSON object for each event for programs.

use std::{io::IsTerminal as _, time::Instant};

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::print;

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
            print::line(&format!("\n{style}{title}{style:#}"));
        }
    }

    /// Something that happened.
    pub fn event(&mut self, kind: &str, words: &str) {
        self.events += 1;
        let ms = self.began.elapsed().as_millis();
        if self.json {
            print::line(&json!({ "event": kind, "ms": ms, "text": words }).to_string());
            return;
        }
        let colour = match kind {
            "seen" | "effective" => AnsiColor::Green,
            "refused" | "declined" | "killed" | "live" => AnsiColor::Yellow,
            _ => AnsiColor::White,
        };
        let style = self.style(Style::new().fg_color(Some(colour.into())));
        print::line(&format!("  {:>6.1}s  {style}{words}{style:#}", ms as f64 / 1_000.0));
    }

    /// Commands to play with, where everything is left running.
    pub fn commands(&mut self, commands: &[String]) {
        if self.json {
            self.events += 1;
            let ms = self.began.elapsed().as_millis();
            print::line(&json!({ "event": "kept", "ms": ms, "commands": commands }).to_string());
            return;
        }
        print::line("\nEverything still runs. Try, in another terminal:");
        for command in commands {
            print::line(&format!("  {command}"));
        }
    }

    /// The last word.
    pub fn report(&self, rows: usize) {
        let ms = self.began.elapsed().as_millis();
        let events = self.events;
        if self.json {
            let report = json!({ "events": events, "rows": rows, "ms": ms, "seen": "everything" });
            print::line(&json!({ "report": report }).to_string());
        } else {
            let seconds = ms as f64 / 1_000.0;
            print::line(&format!("\nEverything was seen: {events} events, {rows} topology rows, {seconds:.1} s."));
        }
    }

    /// How to end what was left running. Not an event.
    pub fn how_to_stop(&self) {
        if !self.json {
            print::line("Press enter, or ctrl-c, to stop.");
        }
    }
}
