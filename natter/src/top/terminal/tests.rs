use std::collections::BTreeMap;

use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, layout::Rect, widgets::Widget};

use super::{
    super::{
        figures::Figures,
        source::{Look, Seen},
    },
    *,
};

fn seen(sockets: u32) -> Seen {
    let text = format!(
        "natter_build_info{{role=\"edge\",version=\"0.1.0\"}} 1\nnatter_sockets {sockets}\n\
         natter_publish_failed_total{{reason=\"disk\"}} 2\nnatter_mirror_lag{{partition=\"3\"}} 40\n"
    );
    let parts = BTreeMap::from([("nats".to_owned(), true), ("redis".to_owned(), sockets != 1)]);
    Seen { status: "ok".to_owned(), parts, figures: Figures::read(&text) }
}

/// Nodes with so many sockets each.
fn view(sockets: &[u32]) -> View {
    let nodes = sockets.iter().enumerate().map(|(n, sockets)| (format!("edge host:{n}"), seen(*sockets)));
    Book::default().take(Look { nodes: nodes.collect(), ..Look::default() }, Instant::now())
}

fn press(display: &mut Display, code: KeyCode) -> bool {
    display.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn text(display: &Display, width: u16, height: u16) -> String {
    let lines = display.lines(width.into(), height.into());
    assert!(lines.len() <= height.into());
    assert!(lines.iter().all(|line| line.width() <= width.into()), "{lines:#?}");
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

#[test]
fn the_screen_has_the_deployment_and_each_node() {
    let mut display = Display::default();
    assert!(text(&display, 80, 24).contains("asking the nodes"));
    display.take(view(&[1, 7]));
    let shown = text(&display, 180, 24);
    for part in [
        "edge 2",
        "open 8",
        "mirror 40 (partition 3)",
        "redis DOWN on 1 of 2",
        "nats up",
        "publish failed 4",
        "edge host:0",
        "edge host:1",
        "MEMORY",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_window_of_any_size_has_a_screen() {
    let mut display = Display::default();
    display.take(view(&[1, 7, 3]));
    for (width, height) in [(0, 0), (1, 1), (5, 2), (20, 5), (40, 10), (80, 24), (300, 100)] {
        let shown = text(&display, width, height);
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        Text::raw(shown).render(buffer.area, &mut buffer);
    }
    let small = text(&display, 40, 5);
    assert!(small.contains("natter top") && small.contains("edge host:0"), "{small}");
    let narrow = text(&display, 52, 24);
    assert!(narrow.contains("SOCKETS") && !narrow.contains("MEMORY"), "{narrow}");
}

#[test]
fn keys_sort_scroll_pause_and_quit() {
    let mut display = Display::default();
    display.take(view(&[1, 7, 3]));
    let order = |display: &Display| -> Vec<char> {
        let shown = text(display, 80, 24);
        let names = shown.lines().filter_map(|line| line.strip_prefix("edge host:"));
        names.filter_map(|name| name.chars().next()).collect()
    };
    assert_eq!(order(&display), ['0', '1', '2']);
    press(&mut display, KeyCode::Char('s'));
    assert_eq!(order(&display), ['1', '2', '0'], "by sockets");
    press(&mut display, KeyCode::Down);
    assert_eq!(order(&display), ['2', '0']);
    press(&mut display, KeyCode::PageDown);
    assert_eq!(order(&display), ['0'], "one stays");
    press(&mut display, KeyCode::Home);

    press(&mut display, KeyCode::Char('p'));
    display.take(view(&[1]));
    assert_eq!(order(&display).len(), 3);
    assert!(text(&display, 80, 24).contains("PAUSED"));
    press(&mut display, KeyCode::Char('p'));
    display.take(view(&[1]));
    assert_eq!(order(&display), ['0']);

    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(press(&mut display, KeyCode::Char('q')) && display.press(control_c));
    assert!(!press(&mut display, KeyCode::Char('c')));
}

#[test]
fn what_is_drawn_is_what_the_lines_say() {
    let mut display = Display::default();
    display.take(view(&[7]));
    let mut terminal = Terminal::new(TestBackend::new(60, 12)).unwrap();
    let drawn = terminal.draw(|frame| {
        frame.render_widget(Text::from(display.lines(60, 12)), frame.area());
    });
    let cells: Vec<&str> =
        drawn.unwrap().buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
    let rows: String = cells.chunks(60).map(|row| row.concat().trim_end().to_owned() + "\n").collect();
    let lines: String =
        text(&display, 60, 12).lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    assert_eq!(rows.trim_end(), lines.trim_end());
}
