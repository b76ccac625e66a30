//! What people see of outages of the distributed form: its servers are lost, its services killed, stopped and replaced, under load, behind the real
//! gateway. Nothing that was acknowledged is lost, what cannot be done now is refused at once and in good form, and all is well soon after,
//! without anybody's help.

#[path = "outages/fleet.rs"]
mod fleet;
#[path = "outages/load.rs"]
mod load;
#[path = "outages/person.rs"]
mod person;
#[cfg(feature = "long")]
#[path = "outages/pieces.rs"]
mod pieces;
#[path = "outages/scene.rs"]
mod scene;
#[path = "outages/servers.rs"]
mod servers;
#[path = "outages/services.rs"]
mod services;
