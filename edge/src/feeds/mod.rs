//! What NATS sends without being asked. Arrives: the log's repeats, read marks, typing, presence, CONTROL.
//! Leaves: frames for the sockets they concern, and the state of this edge brought up to date.

pub mod live; // events of the log's partitions
pub mod read_marks; // how far members have read
pub mod typing; // who types
pub mod presence; // who came online or went offline

pub mod control; // membership changes and ended sessions
pub mod contact; // whether this edge alone has lost NATS
pub mod membership_updates; // brings live sockets in line with a membership
