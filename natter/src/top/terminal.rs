//! The screen: drawn after each look and each key, until `q`.

use std::{io::IsTerminal, time::Duration};

use anyhow::{Context, ensure};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use natter_runtime::lifecycle::StopSignals;
use ratatui::{
    DefaultTerminal,
    text::{Line, Text},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    book::Book,
    screen::{Screen, Sort},
    source::Source,
    view::View,
};

/// Nodes that a page key passes.
const PAGE: usize = 10;

pub async fn run(source: Source, every: Duration) -> anyhow::Result<()> {
    let terminals = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    ensure!(terminals, "standard input and output are no terminal: use --once or --json");
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    let done = show(&mut terminal, source, every).await;
    ratatui::try_restore().context("the terminal is not as it was; `reset` mends it")?;
    done
}

/// Keys are answered while nodes are waited for.
async fn show(terminal: &mut DefaultTerminal, source: Source, every: Duration) -> anyhow::Result<()> {
    let (views, mut seen) = mpsc::channel(1);
    let looking = tokio::spawn(looks(source, every, views));
    let (mut keys, mut signals, mut display) =
        (EventStream::new(), StopSignals::listen()?, Display::default());
    loop {
        terminal.draw(|frame| {
            let area = frame.area();
            let text = Text::from(display.lines(area.width.into(), area.height.into()));
            frame.render_widget(text, area);
        })?;
        tokio::select! {
            view = seen.recv() => match view {
                Some(view) => display.take(view),
                None => return looking.await?,
            },
            // Of no more use without a keyboard.
            event = keys.next() => match event.context("the terminal is gone")?? {
                Event::Key(key) if display.press(key) => return Ok(()),
                _ => {}
            },
            () = signals.received() => return Ok(()),
        }
    }
}

async fn looks(mut source: Source, every: Duration, views: mpsc::Sender<View>) -> anyhow::Result<()> {
    let (mut book, mut due) = (Book::default(), interval(every));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let look = source.look().await?;
        if views.send(book.take(look, Instant::now())).await.is_err() {
            return Ok(());
        }
    }
}

#[derive(Default)]
struct Display {
    /// `None` until the first look.
    view: Option<View>,
    sort: Sort,
    paused: bool,
    /// Nodes above the first one on the screen.
    passed: usize,
}

impl Display {
    fn take(&mut self, view: View) {
        if !self.paused {
            self.view = Some(view);
        }
    }

    /// Whether that is all.
    fn press(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        let last = self.view.as_ref().map_or(0, |view| view.nodes.len().saturating_sub(1));
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('p') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Down => self.passed += 1,
            KeyCode::Up => self.passed = self.passed.saturating_sub(1),
            KeyCode::PageDown => self.passed += PAGE,
            KeyCode::PageUp => self.passed = self.passed.saturating_sub(PAGE),
            KeyCode::Home => self.passed = 0,
            KeyCode::End => self.passed = last,
            _ => {}
        }
        self.passed = self.passed.min(last);
        false
    }

    fn lines(&self, width: usize, height: usize) -> Vec<Line<'static>> {
        let Some(view) = &self.view else { return vec![Line::raw("natter top: asking the nodes")] };
        let paused = if self.paused { "PAUSED  " } else { "" };
        let hint = format!("{paused}by {}  q quit  p pause  s sort", self.sort.title());
        let screen = Screen { view, sort: self.sort, hint };
        let mut lines = screen.head(width);
        // A small window still has a node.
        if lines.len() >= height {
            let titles = lines.pop();
            lines.truncate(height.saturating_sub(2));
            lines.extend(titles);
        }
        lines.extend(screen.nodes(width).into_iter().skip(self.passed));
        lines.truncate(height);
        lines
    }
}

#[cfg(test)]
mod tests;
