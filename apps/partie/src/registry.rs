//! `registry`: the embedded registry as a program, by way of Consul's API.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use partie_mesh::discovery::{
    ConsulApi, ConsulApiConfig, EmbeddedRegistry, EmbeddedRegistryConfig, Reserved,
};
use partie_mesh::{Handles, Listener};
use partie_runtime::{Stop, duration};
use partie_telemetry::Logs;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use crate::{life, out};

/// Where Consul's agents listen.
pub(crate) const LISTEN: &str = "127.0.0.1:8500";

pub(crate) fn main(listen: &str, settling: Option<&str>) -> ExitCode {
    let Ok(address) = listen.parse::<SocketAddr>() else {
        return out::refuse(&format_args!("--listen {listen} is not an address with a port"));
    };
    // Whoever can reach it can announce anything, so only programs of this machine can.
    if !address.ip().to_canonical().is_loopback() {
        return out::refuse(&format_args!(
            "--listen {listen}: the registry answers programs of this machine only, so listen on a loopback address"
        ));
    }
    let mut bounds = EmbeddedRegistryConfig::default();
    match settling.map(|text| duration::deserialize(IntoDeserializer::<Error>::into_deserializer(text))) {
        None => {}
        Some(Ok(settling)) => bounds.settling = settling,
        Some(Err(error)) => return out::refuse(&format_args!("--settling: {error}")),
    }
    life::live(&Logs::default(), run(address, bounds))
}

async fn run(address: SocketAddr, bounds: EmbeddedRegistryConfig) -> ExitCode {
    let handles = Handles::default();
    let listener = match Listener::bind(address, ConsulApi::limits(), 0, handles.clone()) {
        Ok(listener) => listener,
        Err(error) => return out::refuse(&error),
    };
    let stop = Stop::default();
    let registry = EmbeddedRegistry::start(bounds);
    let api = ConsulApi::start(
        registry,
        Reserved::nothing(),
        ConsulApiConfig::default(),
        handles.ids.clone(),
        stop.clone(),
    );
    out::line(&format!("registry on http://{}", listener.local_addr()));
    life::until_told(listener.run(Arc::new(api), stop.clone()), &stop).await
}
