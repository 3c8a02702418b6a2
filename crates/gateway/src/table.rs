//! Everything that can change while the gateway runs, compiled: what one request sees, whatever happens meanwhile.

use std::sync::Arc;

use partie_mesh::Mesh;

use crate::config::{CompressionConfig, Gateway, Page};
use crate::cors::Cors;
use crate::rates::Rates;
use crate::routes::Routes;
use crate::rules::{self, ConfigError, Rules};

/// The configuration as of one moment. A request looks at it once and keeps it to its end.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) config: Gateway,
    /// Counts the configurations there were, from 1.
    pub(crate) generation: u64,
    /// What contracts say.
    pub(crate) routes: Arc<Routes>,
    /// What the configuration says.
    pub(crate) rules: Rules,
    /// Of routes that have none of their own.
    pub(crate) rates: Option<Rates>,
    pub(crate) cors: Option<Cors>,
}

// === impl Table ===

impl Table {
    /// # Errors
    /// [`ConfigError`] names the first thing that cannot work.
    pub(crate) fn compile(
        config: &Gateway,
        generation: u64,
        routes: Arc<Routes>,
        mesh: &Mesh,
    ) -> Result<Self, ConfigError> {
        let cors = config.cors.as_ref().map(Cors::new).transpose();
        let cors = cors.map_err(|reason| ConfigError::Cors { place: "gateway".to_owned(), reason })?;
        Ok(Self {
            rules: rules::compile(config, mesh)?,
            rates: Rates::new(0, &config.rates),
            cors,
            config: config.clone(),
            generation,
            routes,
        })
    }

    pub(crate) fn shows(&self, page: Page) -> bool {
        self.config.pages.contains(&page)
    }

    pub(crate) fn compression(&self) -> Option<&CompressionConfig> {
        self.config.compression.as_ref()
    }
}
