//! Packages: what is here, and what the node tells the synchronizer that it vets.

use canton_proto::canton::admin::participant::v30::{
    DarDescription, ListDarsRequest, ListDarsResponse, ListPackagesRequest, ListPackagesResponse, PackageDescription,
    UploadDarRequest, UploadDarResponse, package_service_server::PackageService,
};
use canton_topology::{
    mapping::{Code as Kind, Mapping, PackageId, VettedPackage, VettedPackages},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use tonic::{Code, Request, Response, Status};

use super::Api;
use crate::{
    clock::{now, to_wire},
    packages::{Packages, contents},
    refused::Refused,
};

/// How long an upload waits for its vetting to be seen.
const VETTING_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

impl Api {
    /// Vets packages besides those that are vetted; nothing where all of them are. `named` says whether the synchronizer is.
    async fn vet(&self, packages: &[PackageId], named: bool, wait: bool) -> Result<(), Status> {
        let node = &self.0;
        if !node.standing().connected {
            let cause = "The synchronizer for the vetting is not connected";
            let id = if named {
                "PACKAGE_SERVICE_NOT_CONNECTED_TO_SYNCHRONIZER"
            } else {
                "PACKAGE_SERVICE_CANNOT_AUTODETECT_SYNCHRONIZER"
            };
            return Err(Refused::new(Code::FailedPrecondition, id, cause).into());
        }
        let Some(transaction) = self.vetting(packages)? else { return Ok(()) };
        let signature = node.identity.namespace_key.sign(&transaction);
        let signed = SignedTransaction::new(transaction, vec![signature], false);
        let placed = node.submit(vec![signed]);
        if wait {
            let Ok(placed) = placed.await else { return Ok(()) };
            node.wait_for(VETTING_WAIT, |standing| (standing.seen >= placed.events).then_some(())).await;
        }
        Ok(())
    }

    fn vetting(&self, packages: &[PackageId]) -> Result<Option<Transaction>, Status> {
        let own = self.0.id();
        let standing = self.0.standing();
        let mut rows = standing.topology.of_kind(Kind::VettedPackages);
        let before = rows.find_map(|row| match row.transaction.mapping() {
            Mapping::VettedPackages(vetted) if vetted.participant == own => Some((vetted.clone(), row.serial())),
            _ => None,
        });
        let (mut vetted, serial) = match before {
            Some((vetted, serial)) => (vetted, serial.next()),
            None => (VettedPackages { participant: own, packages: Vec::new() }, Some(Serial::FIRST)),
        };
        let serial = serial.ok_or_else(|| Status::internal("the chain of vetted packages is at its end"))?;
        let new: Vec<PackageId> = packages
            .iter()
            .filter(|package| !vetted.packages.iter().any(|one| one.package == **package))
            .copied()
            .collect();
        if new.is_empty() {
            return Ok(None);
        }
        let entry = |package| VettedPackage { package, valid_from: None, valid_until: None, in_old_list: false };
        vetted.packages.extend(new.into_iter().map(entry));
        Ok(Some(Transaction::build(Operation::AddReplace, serial, &Mapping::VettedPackages(vetted))))
    }
}

#[tonic::async_trait]
impl PackageService for Api {
    async fn list_packages(
        &self,
        request: Request<ListPackagesRequest>,
    ) -> Result<Response<ListPackagesResponse>, Status> {
        let ListPackagesRequest { limit, filter_name } = request.into_inner();
        let standing = self.0.standing();
        let described = standing.packages.dars().flat_map(|(_, dar)| {
            dar.packages.iter().map(|package| PackageDescription {
                package_id: package.as_str().to_owned(),
                name: dar.description.clone(),
                version: "1.0.0".to_owned(),
                uploaded_at: Some(to_wire(dar.uploaded)),
                size: u32::try_from(dar.size).unwrap_or(u32::MAX),
            })
        });
        let wanted = described.filter(|package| package.name.starts_with(&filter_name));
        Ok(Response::new(ListPackagesResponse { package_descriptions: wanted.take(bounded(limit)).collect() }))
    }

    async fn upload_dar(&self, request: Request<UploadDarRequest>) -> Result<Response<UploadDarResponse>, Status> {
        let request = request.into_inner();
        let mut dar_ids = Vec::new();
        let mut packages = Vec::new();
        for dar in request.dars {
            let main = contents(&dar.bytes).first().map(|main| main.as_str().to_owned()).unwrap_or_default();
            if let Some(expected) = dar.expected_main_package_id.filter(|expected| *expected != main) {
                let cause = format!("The main package of the uploaded DAR is {main}, not the expected {expected}");
                let id = "MAIN_PACKAGE_IN_DAR_DOES_NOT_MATCH_EXPECTED";
                return Err(Refused::new(Code::FailedPrecondition, id, cause).into());
            }
            let description = dar.description.unwrap_or_default();
            packages.extend(self.0.standing().packages.upload(&dar.bytes, description, now()));
            dar_ids.push(main);
        }
        if request.vet_all_packages {
            self.vet(&packages, request.synchronizer_id.is_some(), request.synchronize_vetting).await?;
        }
        Ok(Response::new(UploadDarResponse { dar_ids }))
    }

    async fn list_dars(&self, request: Request<ListDarsRequest>) -> Result<Response<ListDarsResponse>, Status> {
        let ListDarsRequest { limit, filter_name } = request.into_inner();
        let built_in = DarDescription {
            main: Packages::BUILT_IN.to_owned(),
            name: "canton-builtin-admin-workflow-ping".to_owned(),
            version: "3.4.0".to_owned(),
            description: "System package".to_owned(),
        };
        let standing = self.0.standing();
        let uploaded = standing.packages.dars().map(|(main, dar)| DarDescription {
            main: main.as_str().to_owned(),
            name: dar.description.clone(),
            version: "1.0.0".to_owned(),
            description: dar.description.clone(),
        });
        let dars = std::iter::once(built_in).chain(uploaded).filter(|dar| dar.name.starts_with(&filter_name));
        Ok(Response::new(ListDarsResponse { dars: dars.take(bounded(limit)).collect() }))
    }
}

/// A limit as the wire writes it: 0 is none.
fn bounded(limit: i32) -> usize {
    usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX)
}
