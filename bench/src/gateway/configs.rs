//! What each gateway is told: the same two upstreams behind `/api`, connections kept, no access log.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::tokens::{AUDIENCE, ISSUER};

/// Connections that are kept to each upstream.
const KEPT: usize = 128;

/// What all of ours begin with: one worker, and so many connections from this machine.
const OURS: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n\n\
    [gateway.limits]\nconnections-per-address = 4096\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n";

/// Ours, with the key set in that file if tokens are verified.
pub(super) fn partie(upstreams: [SocketAddr; 2], jwks: Option<&Path>) -> String {
    let (access, issuers) = match jwks {
        Some(path) => ("authenticated", issuer(path)),
        None => ("public", String::new()),
    };
    format!(
        "{OURS}{}{}{issuers}",
        menu(&upstreams.map(|at| format!("http://{at}"))),
        route("/api", "menu", &format!("access = \"{access}\""))
    )
}

/// Ours in training: tokens and keys, rates, compression, and another upstream that speaks TLS.
pub(super) fn trained(upstream: SocketAddr, far: &str, authority: &Path, jwks: &Path, key: &str) -> String {
    let urls = [format!("http://{upstream}")];
    let far =
        format!("[gateway.upstreams.far]\nurls = [\"{far}\"]\nca-file = \"{}\"\n\n", authority.display());
    let keys = format!("[identity.api-keys.training]\nsha256 = \"{key}\"\nsubject = \"training\"\n\n");
    let routes = [
        route("/api", "menu", "access = \"authenticated\""),
        route("/open", "menu", "rates = { address = \"1000000/s\" }\ncompression = true"),
        route("/far", "far", ""),
    ];
    format!("{OURS}[gateway.compression]\n\n{far}{}{}{keys}{}", menu(&urls), routes.concat(), issuer(jwks))
}

/// Ours as the upstream that speaks TLS.
pub(super) fn behind_tls(upstream: SocketAddr, certificate: &Path, key: &Path) -> String {
    let tls = format!(
        "[gateway.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\n",
        certificate.display(),
        key.display()
    );
    format!("{OURS}{tls}{}{}", menu(&[format!("http://{upstream}")]), route("/", "menu", ""))
}

fn menu(urls: &[String]) -> String {
    format!("[gateway.upstreams.menu]\nurls = {urls:?}\n\n")
}

fn route(prefix: &str, to: &str, more: &str) -> String {
    format!("[[gateway.routes]]\nprefix = \"{prefix}\"\nto = \"{to}\"\n{more}\n\n")
}

fn issuer(jwks: &Path) -> String {
    format!(
        "[identity.issuers.bench]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n\
         algorithms = [\"ES256\"]\njwks-file = \"{}\"\n",
        jwks.display()
    )
}

pub(super) fn nginx(listen: SocketAddr, upstreams: [SocketAddr; 2], dir: &Path) -> String {
    let ([one, two], dir) = (upstreams, dir.display());
    // One process, which is what one core has to do anyway.
    format!(
        "daemon off;\nmaster_process off;\npid {dir}/pid;\nerror_log {dir}/error.log;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 300s;\n\
         client_body_temp_path {dir}/body;\n  proxy_temp_path {dir}/proxy;\n  fastcgi_temp_path {dir}/fastcgi;\n\
         uwsgi_temp_path {dir}/uwsgi;\n  scgi_temp_path {dir}/scgi;\n\
         upstream menu {{\n    least_conn;\n    server {one};\n    server {two};\n    keepalive {KEPT};\n\
         keepalive_requests 1000000000;\n  }}\n\
         server {{\n    listen {listen};\n    location /api/ {{\n      proxy_pass http://menu;\n\
         proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n  }}\n}}\n"
    )
}

pub(super) fn haproxy(listen: SocketAddr, upstreams: [SocketAddr; 2]) -> String {
    let [one, two] = upstreams;
    format!(
        "global\n  maxconn 8192\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 300s\n\
         timeout server 30s\n  timeout http-keep-alive 300s\nfrontend edge\n  bind {listen}\n\
         use_backend menu if {{ path_beg /api/ }}\nbackend menu\n  balance leastconn\n  option forwardfor\n\
         http-reuse always\n  server one {one}\n  server two {two}\n"
    )
}

/// Envoy, with that key set if tokens are verified. It keeps verified tokens too.
pub(super) fn envoy(listen: SocketAddr, upstreams: [SocketAddr; 2], jwks: Option<&str>) -> Value {
    let of = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let socket = |at: SocketAddr| json!({"socket_address": {"address": at.ip(), "port_value": at.port()}});
    let mut filters = Vec::new();
    if let Some(jwks) = jwks {
        filters.push(json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
            "@type": of("http.jwt_authn.v3.JwtAuthentication"),
            "providers": {"bench": {"issuer": ISSUER, "audiences": [AUDIENCE], "forward": true,
                "local_jwks": {"inline_string": jwks}, "jwt_cache_config": {"jwt_cache_size": 1_000}}},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
        }}));
    }
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": of("http.router.v3.Router")}}));
    let endpoint = |at| json!({"endpoint": {"address": socket(at)}});
    json!({"static_resources": {
        "listeners": [{"address": socket(listen), "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": {
                "@type": of("network.http_connection_manager.v3.HttpConnectionManager"),
                "stat_prefix": "edge", "codec_type": "HTTP1", "http_filters": filters,
                "route_config": {"virtual_hosts": [{"name": "menu", "domains": ["*"],
                    "routes": [{"match": {"prefix": "/api/"}, "route": {"cluster": "menu"}}]}]},
            }}]}]}],
        "clusters": [{"name": "menu", "type": "STATIC", "lb_policy": "LEAST_REQUEST", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": "menu",
                "endpoints": [{"lb_endpoints": upstreams.map(endpoint)}]}}],
    }})
}

pub(super) fn caddy(listen: SocketAddr, upstreams: [SocketAddr; 2]) -> Value {
    let upstreams = upstreams.map(|at| json!({"dial": at}));
    json!({
        "admin": {"disabled": true, "config": {"persist": false}},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {"http": {"servers": {"edge": {
            "listen": [listen], "automatic_https": {"disable": true},
            "routes": [{"match": [{"path": ["/api/*"]}], "handle": [{
                "handler": "reverse_proxy", "upstreams": upstreams,
                "load_balancing": {"selection_policy": {"policy": "least_conn"}},
                "transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": KEPT}},
            }]}],
        }}}},
    })
}

/// The part of Traefik's configuration that is a file; JSON is YAML too.
pub(super) fn traefik(upstreams: [SocketAddr; 2]) -> Value {
    let servers = upstreams.map(|at| json!({"url": format!("http://{at}")}));
    json!({"http": {
        "routers": {"menu": {"rule": "PathPrefix(`/api`)", "service": "menu", "entryPoints": ["edge"]}},
        "services": {"menu": {"loadBalancer": {"servers": servers}}},
    }})
}
