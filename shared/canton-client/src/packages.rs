//! The Daml packages that a participant has. Which of them it vets stands in topology.

use canton_proto::canton::admin::participant::v30::{
    ListDarsRequest, ListPackagesRequest, UploadDarRequest, package_service_client::PackageServiceClient,
    upload_dar_request::UploadDarData,
};
use canton_topology::id::SynchronizerId;

use crate::{error::NodeError, participant::Participant};

/// A package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its id: the hash of what is in it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// An archive of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dar {
    /// The id of its main package.
    pub main: String,
    /// The main package's name.
    pub name: String,
    /// The main package's version.
    pub version: String,
}

/// All, as the node counts it.
const NO_LIMIT: i32 = 0;

impl Participant {
    /// Gives it an archive, lets it vet all packages in it on the synchronizer, and returns when the vetting is
    /// effective there. Answers the ids of the main packages.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn upload_dar(&self, bytes: Vec<u8>, synchronizer: &SynchronizerId) -> Result<Vec<String>, NodeError> {
        let mut client = PackageServiceClient::new(self.connection.patient().await?);
        let request = UploadDarRequest {
            dars: vec![UploadDarData { bytes, description: None, expected_main_package_id: None }],
            vet_all_packages: true,
            synchronize_vetting: true,
            synchronizer_id: Some(synchronizer.to_string()),
        };
        let answer = client.upload_dar(request).await.map_err(|status| NodeError::from_status(&status, true))?;
        Ok(answer.into_inner().dar_ids)
    }

    /// All packages that it has.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn packages(&self) -> Result<Vec<Package>, NodeError> {
        let mut client = PackageServiceClient::new(self.connection.quick().await?);
        let request = ListPackagesRequest { limit: NO_LIMIT, filter_name: String::new() };
        let answer = client.list_packages(request).await.map_err(|status| NodeError::from_status(&status, false))?;
        let read = |one: canton_proto::canton::admin::participant::v30::PackageDescription| Package {
            id: one.package_id,
            name: one.name,
            version: one.version,
        };
        Ok(answer.into_inner().package_descriptions.into_iter().map(read).collect())
    }

    /// All archives that it has.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn dars(&self) -> Result<Vec<Dar>, NodeError> {
        let mut client = PackageServiceClient::new(self.connection.quick().await?);
        let request = ListDarsRequest { limit: NO_LIMIT, filter_name: String::new() };
        let answer = client.list_dars(request).await.map_err(|status| NodeError::from_status(&status, false))?;
        let read = |one: canton_proto::canton::admin::participant::v30::DarDescription| Dar {
            main: one.main,
            name: one.name,
            version: one.version,
        };
        Ok(answer.into_inner().dars.into_iter().map(read).collect())
    }
}
