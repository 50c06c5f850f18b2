use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use natter_schemas::{
    audit::{Act, Entry},
    event::Timestamp,
    id::UserId,
    limits,
};
use natter_testkit::{Folder, SmallDisk, until};

use super::{
    Appended, Audit, Batch, Options, Origin, Target,
    chain::Link,
    file::AuditFile,
    stream::AuditStream,
    verify::{Broken, Found, Note, Verifier},
};

fn origin(process: &str) -> Origin {
    Origin { node: "host".to_owned(), process: process.to_owned() }
}

fn entry(number: u64) -> Entry {
    let act = Act::KeysRetired { name: format!("{number}: \"ü\n"), operator: "root".to_owned() };
    Entry { at: Timestamp(1_795_000_000_000), act, client: "2001:db8::1".parse().ok() }
}

fn append(file: &mut AuditFile, entries: std::ops::Range<u64>) -> Appended {
    let entries: Vec<Entry> = entries.map(entry).collect();
    let entries: Vec<&Entry> = entries.iter().collect();
    file.append(&Batch { origin: &origin("test:1"), now: Timestamp(0), lost: 0, entries: &entries })
}

fn write(path: &Path, entries: std::ops::Range<u64>) {
    let count = usize::try_from(entries.end - entries.start).expect("few");
    let written = append(&mut AuditFile::new(path.to_owned()).expect("a file"), entries);
    assert!(written.failure.is_none() && written.lines.len() == count);
}

/// What a verification of these says.
fn verify(paths: &[&Path]) -> (Result<Vec<Found>, String>, Vec<Note>) {
    let mut notes = Vec::new();
    let mut verifier = Verifier::new(None, |note| notes.push(note));
    for path in paths {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = fs::read(path).expect("a file");
        if let Err(broken) = verifier.file(&name, bytes.as_slice()) {
            return (Err(broken.to_string()), notes);
        }
    }
    (Ok(verifier.end().0), notes)
}

/// The numbers of the one chain that is there.
fn whole(paths: &[&Path]) -> (u64, u64) {
    let found = verify(paths).0.expect("whole");
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].first, found[0].last)
}

fn log(folder: &Folder) -> PathBuf {
    folder.file("audit.log")
}

#[test]
fn a_chain_goes_on_where_the_process_before_ended() {
    let folder = Folder::new();
    let path = log(&folder);
    for round in 0..3 {
        write(&path, round * 5..round * 5 + 5);
    }
    assert_eq!(whole(&[&path]), (1, 15));
    // As strangers check it: the hash is of the line without it.
    let text = fs::read_to_string(&path).expect("text");
    let (first, second) = text.split_once('\n').expect("lines");
    let at = first.rfind(",\"hash\"").expect("a hash");
    let digest = <sha2::Sha256 as sha2::Digest>::digest(format!("{}}}", &first[..at]));
    let hash = data_encoding::HEXLOWER.encode(&digest);
    assert!(first.ends_with(&format!("\"{hash}\"}}")), "{first}");
    assert!(second.contains(&format!("\"previous\":\"{hash}\"")), "{second}");
}

#[test]
fn processes_of_one_host_write_one_chain() {
    let folder = Folder::new();
    let path = log(&folder);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mut file = AuditFile::new(path.clone()).expect("a file");
                for number in 0..50 {
                    let number = writer * 50 + number;
                    assert!(append(&mut file, number..number + 1).failure.is_none());
                }
            });
        }
    });
    assert_eq!(whole(&[&path]), (1, 200));
}

#[test]
fn whatever_is_changed_is_found_where_it_is() {
    let folder = Folder::new();
    let path = log(&folder);
    write(&path, 0..5);
    let text = fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let other = folder.file("other.log");
    let broken = |lines: &[&str]| {
        fs::write(&other, format!("{}\n", lines.join("\n"))).expect("written");
        verify(&[&other]).0.expect_err("it was changed")
    };
    for line in 0..lines.len() {
        for at in (0..lines[line].len()).step_by(7) {
            let mut bytes = lines[line].as_bytes().to_vec();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let mut changed_lines = lines.clone();
            changed_lines[line] = &changed;
            let said = broken(&changed_lines);
            assert!(said.starts_with(&format!("other.log:{}: this line is not", line + 1)), "{at}: {said}");
        }
    }
    for removed in 1..lines.len() - 1 {
        let mut rest = lines.clone();
        rest.remove(removed);
        let said = broken(&rest);
        let wanted = format!("other.log:{}: records {1} to {1} of chain", removed + 1, removed + 1);
        assert!(said.starts_with(&wanted), "{said}");
    }
    let mut repeated = lines.clone();
    repeated.insert(2, lines[1]);
    assert!(broken(&repeated).contains("other.log:3: record 2 of chain"));
    // A record of another chain that has the same number, put in the place of one.
    let second = folder.file("second.log");
    write(&second, 10..15);
    let second = fs::read_to_string(&second).expect("text");
    let foreign: Vec<&str> = second.lines().collect();
    let forged = forge(lines[2], foreign[2]);
    let replaced = [lines[0], lines[1], &forged, lines[3], lines[4]];
    let said = broken(&replaced);
    assert!(said.starts_with("other.log:3: record 3") && said.contains("replaced"), "{said}");
}

/// `from` with the chain of `to`, and a hash that is right for it.
fn forge(to: &str, from: &str) -> String {
    let chain = |line: &str| line[10..46].to_owned();
    let body = from.replace(&chain(from), &chain(to));
    let at = body.rfind(",\"hash\"").expect("a hash");
    let body = format!("{}}}", &body[..at]);
    let hash = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(&body));
    format!("{},\"hash\":\"{hash}\"}}", &body[..body.len() - 1])
}

#[test]
fn a_record_cut_off_at_any_byte_is_named_by_the_next() {
    let folder = Folder::new();
    let path = log(&folder);
    write(&path, 0..3);
    let text = fs::read(&path).expect("text");
    let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    for cut in last..text.len() {
        fs::write(&path, &text[..cut]).expect("written");
        let torn = (cut - last) as u64;
        let finished = cut == text.len() - 1;
        let (before, notes) = verify(&[&path]);
        assert_eq!(before.expect("whole")[0].last, if finished { 3 } else { 2 });
        assert_eq!(notes.len(), usize::from(torn > 0 && !finished), "{notes:?}");
        write(&path, 3..5);
        let (after, notes) = verify(&[&path]);
        let named = torn > 0 && !finished;
        assert_eq!(after.expect("whole")[0].last, if torn == 0 { 4 } else { 5 }, "cut at {cut}");
        let named_as = notes
            .iter()
            .any(|note| matches!(note, Note::Interrupted { lost: 0, torn_bytes, .. } if *torn_bytes == torn));
        assert_eq!(named, named_as, "{notes:?}");
    }
}

#[test]
fn a_record_cut_off_twice_is_still_named() {
    let folder = Folder::new();
    let path = log(&folder);
    write(&path, 0..2);
    let whole_len = fs::metadata(&path).expect("a file").len();
    for torn in ["{\"chain\":\"half", "\n{\"chain\":\"another half"] {
        fs::File::options()
            .append(true)
            .open(&path)
            .expect("a file")
            .write_all(torn.as_bytes())
            .expect("written");
    }
    let torn = fs::metadata(&path).expect("a file").len() - whole_len;
    write(&path, 2..3);
    let (found, notes) = verify(&[&path]);
    assert_eq!(found.expect("whole")[0].last, 4);
    assert!(matches!(&notes[..], [Note::Interrupted { torn_bytes, .. }] if *torn_bytes == torn), "{notes:?}");
    // What someone else makes of it is not what was named.
    let text = fs::read_to_string(&path).expect("text").replace("another", "the other");
    fs::write(&path, text).expect("written");
    assert!(verify(&[&path]).0.is_err());
}

#[test]
fn a_renamed_log_goes_on_in_a_new_file() {
    let folder = Folder::new();
    let (path, old) = (log(&folder), folder.file("audit.log.1"));
    let (mut one, mut two) =
        (AuditFile::new(path.clone()).expect("a file"), AuditFile::new(path.clone()).expect("a file"));
    append(&mut one, 0..3);
    append(&mut two, 3..4);
    append(&mut one, 4..5);
    fs::rename(&path, &old).expect("renamed");
    append(&mut two, 5..6);
    append(&mut one, 6..7);
    assert_eq!(whole(&[&old, &path]), (1, 7));
    let (found, notes) = verify(&[&path]);
    assert_eq!((found.expect("whole")[0].first, notes.len()), (6, 1), "what is older is elsewhere");
    assert!(verify(&[&path, &old]).0.expect_err("in another order").contains("comes after record"));
}

/// Takes so many bytes, and then no more until it is given room.
struct Narrow {
    taken: Vec<u8>,
    room: usize,
}

impl Write for &mut Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = bytes.len().min(self.room);
        if most == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.extend_from_slice(&bytes[..most]);
        self.room -= most;
        Ok(most)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_that_takes_a_part_goes_on_with_the_rest() {
    // Wherever the first, and then the second attempt ends.
    for (first, second) in [(0, 0), (1, 0), (400, 1), (700, 2), (1000, 300), (1500, 5)] {
        let mut narrow = Narrow { taken: Vec::new(), room: first };
        let entries: Vec<Entry> = (0..4).map(entry).collect();
        let mut waiting: Vec<&Entry> = entries.iter().collect();
        let (mut stream, mut rooms) = (AuditStream::new(&mut narrow), vec![second, usize::MAX].into_iter());
        loop {
            let batch = Batch { origin: &origin("test:1"), now: Timestamp(0), lost: 0, entries: &waiting };
            let appended = stream.append(&batch);
            waiting.drain(..appended.lines.len());
            let Some(room) = rooms.next() else { break };
            stream.inner().room = room;
        }
        assert!(waiting.is_empty());
        let mut notes = Vec::new();
        let mut verifier = Verifier::new(None, |note| notes.push(note));
        verifier
            .file("stream", narrow.taken.as_slice())
            .unwrap_or_else(|broken| panic!("{first}, {second}: {broken}"));
        let text = String::from_utf8_lossy(&narrow.taken).into_owned();
        let written = text.lines().filter_map(|line| Link::read(line.as_bytes()));
        assert_eq!(written.filter(|link| link.kind == "keys_retired").count(), 4, "{text}");
    }
}

fn start(target: Target) -> Audit {
    let now = Arc::new(|| Timestamp(1_795_000_000_000));
    Audit::start(Options { target, origin: origin("test:1"), now, copies: None }).expect("it can be written")
}

fn retired(name: &str) -> Act {
    Act::KeysRetired { name: name.to_owned(), operator: "root".to_owned() }
}

#[tokio::test]
async fn what_was_recorded_is_in_the_file_when_its_answer_leaves() {
    let folder = Folder::new();
    let audit = start(Target::File(log(&folder)));
    for number in 0..5 {
        audit.record(retired(&format!("root-{number}")), None).await;
        let text = fs::read_to_string(log(&folder)).expect("text");
        assert!(text.contains(&format!("root-{number}")), "{text}");
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(log(&folder)).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    audit.close().await;
    let (found, notes) = verify(&[&log(&folder)]);
    // It started and stopped.
    assert_eq!((found.expect("whole")[0].last, notes.len()), (7, 0), "{notes:?}");
}

#[test]
fn a_log_that_can_never_be_written_is_refused_at_the_start() {
    let folder = Folder::new();
    for path in [folder.path().to_owned(), folder.file("no/such/folder/audit.log")] {
        let now = Arc::new(|| Timestamp(0));
        let options = Options { target: Target::File(path), origin: origin("test:1"), now, copies: None };
        let refused = Audit::start(options).err().expect("it is refused").to_string();
        assert!(refused.starts_with("AUDIT_LOG: "), "{refused}");
    }
}

/// A full disk holds up no one, and what found no room is named when there is room again.
#[tokio::test]
async fn a_full_disk_holds_up_no_one_and_the_loss_is_named() {
    let disk = SmallDisk::mount(1);
    let path = disk.path().join("audit.log");
    let audit = start(Target::File(path.clone()));
    audit.record(retired("before"), None).await;
    disk.fill(0);
    // Until the last block of the file is full, too.
    let user = UserId::fresh();
    let act = || Act::UserErased { user, operator: Some("x".repeat(200)) };
    let (began, recorded) = (Instant::now(), 3 * limits::AUDIT_WAITING);
    for _ in 0..recorded {
        audit.record(act(), None).await;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(verify(&[&path]).0.is_ok());
    disk.make_room();
    let named = || {
        let (found, notes) = verify(&[&path]);
        assert!(found.is_ok(), "{found:?}");
        let lost = notes.iter().map(|note| match note {
            Note::Interrupted { lost, .. } => *lost,
            _ => 0,
        });
        let text = fs::read_to_string(&path).expect("text");
        (lost.sum::<u64>(), text.lines().filter(|line| line.contains("user_erased")).count() as u64)
    };
    until("every record is written or named", async || {
        let (lost, written) = named();
        lost > 0 && lost + written == recorded as u64
    })
    .await;
    audit.record(retired("after"), None).await;
    audit.close().await;
    let text = fs::read_to_string(&path).expect("text");
    assert!(text.contains("\"after\"") && text.contains("\"stopped\""));
}

#[test]
fn a_verification_reads_no_line_that_is_too_long() {
    let long = vec![b'x'; 10 * limits::AUDIT_LINE];
    let mut verifier = Verifier::new(None, |_| {});
    let broken = verifier.file("long", long.as_slice()).expect_err("it is no record");
    assert!(matches!(broken, Broken::Line(_)), "{broken}");
}

#[test]
fn an_expected_hash_shows_that_the_end_was_cut_off() {
    let folder = Folder::new();
    let path = log(&folder);
    write(&path, 0..4);
    let noted = verify(&[&path]).0.expect("whole")[0].hash.clone();
    let missing = |text: &str| {
        let mut verifier = Verifier::new(Some(noted.clone()), |_| {});
        verifier.file("audit.log", text.as_bytes()).expect("whole");
        verifier.end().1
    };
    let text = fs::read_to_string(&path).expect("text");
    assert_eq!(missing(&text), None);
    let cut: String = text.split_inclusive('\n').take(3).collect();
    assert_eq!(missing(&cut), Some(noted.clone()));
}
