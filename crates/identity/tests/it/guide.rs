//! What the guide says can be done as it says it.

use std::process::Command;
use std::sync::Arc;

use partie_identity::{ApiKey, Config, KeySource, Verifier};
use partie_runtime::Ids;
use rcgen::{CertificateParams, KeyPair};

const GUIDE: &str = include_str!("../../../../docs/guides/identity.md");

fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    GUIDE.split(&*fence).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn its_configuration_can_be_used() {
    let key = KeyPair::generate().unwrap();
    let authority = CertificateParams::new(["partner".to_owned()]).unwrap().self_signed(&key).unwrap();
    let ca = std::env::temp_dir().join(format!("partie-identity-guide-{}.pem", std::process::id()));
    std::fs::write(&ca, authority.pem()).unwrap();
    let blocks = blocks("toml");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let block = block
            .replace("file:/run/secrets/tutorial", &"x".repeat(32))
            .replace("partner-ca.pem", ca.to_str().unwrap())
            .replace("5ddb...", &"5d".repeat(32));
        let mut settings: toml::Table = toml::from_str(&block).unwrap();
        let config: Config = settings.remove("identity").unwrap().try_into().unwrap();
        let nobody = |_: &str| -> Arc<dyn KeySource> { panic!("no service is asked") };
        config.open([], "food", &Ids::seeded(7), nobody).unwrap();
    }
    std::fs::remove_file(&ca).unwrap();
}

#[test]
fn an_api_key_is_made_as_it_says() {
    let commands = blocks("console")[0].replace("$ ", "");
    let output = Command::new("sh").args(["-c", &format!("{commands}echo $key")]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (sha256, key) = said.split_once("  -\n").unwrap();
    let verifier = Verifier::new([]).with_api_keys([ApiKey::new(sha256, "reporting", vec![], None).unwrap()]);
    assert_eq!(verifier.verify(key.trim()).unwrap().subject, "reporting");
}
