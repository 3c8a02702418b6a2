//! DNS as the registry, against a real server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use partie_mesh::discovery::{Announcement, DnsConfig, DnsRegistry, Following, Instance, Registry};
use partie_runtime::Ids;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::support::{is, within};

/// A dnsmasq that knows the domain `test`.
struct Dns {
    address: SocketAddr,
    records: PathBuf,
    process: Option<Child>,
    /// How often it has said that there are no such records.
    denials: watch::Sender<u32>,
}

impl Dns {
    async fn start(name: &str, records: &str) -> Self {
        let port = free_port();
        let records_file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dns-{name}.conf"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut dns =
            Self { address, records: records_file, process: None, denials: watch::Sender::default() };
        dns.says(records).await;
        dns
    }

    /// Starts it with those records, again if need be.
    async fn says(&mut self, records: &str) {
        self.kill().await;
        let own = format!(
            "port={}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/test/\nlocal-ttl=1\npid-file\nlog-queries\n",
            self.address.port()
        );
        std::fs::write(&self.records, own + records).unwrap();
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let mut command = Command::new("sh");
        // It drops its privileges, and its user may not exist.
        command.args([
            "-c",
            "exec dnsmasq --keep-in-foreground --log-facility=- --user=\"$(id -un)\" --conf-file=\"$0\"",
        ]);
        command.arg(&self.records).env("PATH", path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        within(async {
            let mut said = Vec::new();
            loop {
                let Some(line) = lines.next_line().await.unwrap() else {
                    panic!("dnsmasq ended (cargo xtask test --only setup installs it): {said:#?}")
                };
                if line.contains("started") {
                    break;
                }
                said.push(line);
            }
        })
        .await;
        let denials = self.denials.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("_orders._tcp.test is N") {
                    denials.send_modify(|denials| *denials += 1);
                }
            }
        });
        self.process = Some(process);
    }

    async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            within(process.kill()).await.unwrap();
        }
    }

    fn registry(&self) -> Arc<dyn Registry> {
        let config = DnsConfig {
            name: "_{service}._tcp.test".into(),
            servers: vec![self.address],
            ..DnsConfig::default()
        };
        Arc::new(DnsRegistry::new(config).unwrap())
    }

    fn follow(&self) -> Following {
        Following::begin(self.registry(), "orders", Ids::seeded(1))
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        std::fs::remove_file(&self.records).ok();
    }
}

fn at(address: &str, weight: u32) -> Instance {
    Instance { weight, ..Instance::new(address, address.parse().unwrap()) }
}

#[tokio::test]
async fn records_are_instances_with_weights_and_changes_are_seen() {
    let hosts = "host-record=a.test,127.0.0.1\nhost-record=b.test,127.0.0.2\nhost-record=b.test,127.0.0.3\nhost-record=c.test,::1\n";
    let first = "srv-host=_orders._tcp.test,a.test,7001,10,60\nsrv-host=_orders._tcp.test,b.test,7002,10,0\n";
    let mut dns = Dns::start("records", &format!("{hosts}{first}")).await;
    let following = dns.follow();
    // A host of two addresses is two instances. 0 is little in company, not nothing.
    is(&following, &[at("127.0.0.1:7001", 60), at("127.0.0.2:7002", 1), at("127.0.0.3:7002", 1)]).await;
    // Somebody else announces; here it only has to stand.
    let announcement = Announcement::make(dns.registry(), "orders", at("127.0.0.9:1", 1), Ids::seeded(2));
    within(announcement.stands()).await;
    announcement.withdraw().await.unwrap();
    // Other records, alone of their priority and without weights.
    let second = "srv-host=_orders._tcp.test,a.test,7009,20,5\nsrv-host=_orders._tcp.test,c.test,7003,10,0\n";
    dns.says(&format!("{hosts}{second}")).await;
    is(&following, &[at("[::1]:7003", 100)]).await;
    // Targets without an address, or with `.` for nobody, leave the next priority.
    let third =
        "srv-host=_orders._tcp.test,nobody.test,7004,5,5\nsrv-host=_orders._tcp.test,a.test,7009,20,5\n";
    dns.says(&format!("{hosts}{third}")).await;
    is(&following, &[at("127.0.0.1:7009", 5)]).await;
}

#[tokio::test]
async fn a_server_that_is_down_or_knows_nothing_takes_nobody_away() {
    let record = "host-record=a.test,127.0.0.1\nsrv-host=_orders._tcp.test,a.test,7001\n";
    let mut dns = Dns::start("down", record).await;
    let following = dns.follow();
    is(&following, &[at("127.0.0.1:7001", 100)]).await;
    let mut lists = following.watch();
    let fewest = tokio::spawn(async move {
        let mut fewest = usize::MAX;
        while lists.changed().await.is_ok() {
            fewest = fewest.min(lists.borrow_and_update().len());
        }
        fewest
    });
    dns.kill().await;
    dns.says("").await;
    let mut denials = dns.denials.subscribe();
    within(denials.wait_for(|denials| *denials > 0)).await.unwrap();
    dns.says(&record.replace("7001", "7002")).await;
    is(&following, &[at("127.0.0.1:7002", 100)]).await;
    drop(following);
    assert_eq!(within(fewest).await.unwrap(), 1);
}

#[tokio::test]
async fn many_records_come_over_tcp() {
    let mut records = String::new();
    for n in 0..300 {
        records += &format!("host-record=host-{n:03}.test,127.0.1.{}\n", n % 250);
        records += &format!("srv-host=_orders._tcp.test,host-{n:03}.test,{},0,10\n", 20_000 + n);
    }
    let dns = Dns::start("many", &records).await;
    let following = dns.follow();
    let mut watch = following.watch();
    let all = within(watch.wait_for(|list| !list.is_empty())).await.unwrap();
    assert_eq!(all.len(), 300);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let wrong = |set: fn(&mut DnsConfig)| {
        let mut config = DnsConfig { servers: vec!["127.0.0.1:53".parse().unwrap()], ..DnsConfig::default() };
        set(&mut config);
        DnsRegistry::new(config).unwrap_err().to_string()
    };
    assert!(wrong(|config| config.name = "_orders._tcp.test.".into()).contains("{service}"));
    assert!(wrong(|config| config.name = "{service}".into()).contains("domain"));
    assert!(wrong(|config| config.name = format!("{{service}}.{}.test", "a".repeat(64))).contains("`name`"));
    assert!(wrong(|config| config.timeout = Duration::ZERO).contains("`timeout`"));
    // A service whose name fits into no name has no records.
    let config = DnsConfig { servers: vec!["127.0.0.1:53".parse().unwrap()], ..DnsConfig::default() };
    let long = "a".repeat(64);
    let following = Following::begin(Arc::new(DnsRegistry::new(config).unwrap()), &long, Ids::seeded(1));
    tokio::task::yield_now().await;
    assert!(following.instances().is_empty());
}

/// A port that nobody listens on, by UDP nor by TCP: a name server answers on both.
fn free_port() -> u16 {
    loop {
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
