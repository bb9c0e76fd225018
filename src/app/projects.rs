//! Sessions saved as projects, and projects loaded into sessions.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::{App, Failure, sessions::login};
pub use crate::store::projects::Project;
use crate::{
    auth::{Login, Principal},
    session::{Admission, Session},
    store::projects::{Naming, State},
};

impl App {
    /// Saves a session in its project, or in a new one. Without `name`, the project keeps its name, and a new one is named after the time.
    /// Returns also what could not be saved, a sentence each.
    ///
    /// # Errors
    /// [`Failure`]; the project is unchanged in this case.
    pub async fn project_save(&self, session: &Arc<Session>, name: Option<&str>) -> Result<(Project, Vec<String>), Failure> {
        self.project_save_when(session, name, Admission::Immediate).await
    }

    /// Saves a session, either at once or when it is its turn.
    pub(super) async fn project_save_when(
        &self,
        session: &Arc<Session>,
        name: Option<&str>,
        admission: Admission,
    ) -> Result<(Project, Vec<String>), Failure> {
        let turn = session.turn(admission)?;
        let (image, unsaved, keeping) = self.image_capture(session, &turn).await?;
        let published: Vec<String> = self.published.of_session(session.id).into_iter().map(|(path, _)| path).collect();
        let earlier = match session.record.project() {
            Some(id) => self.store.project(id, &session.owner).await?,
            None => None,
        };
        let name = name.map(str::to_owned).or_else(|| earlier.as_ref().map(|project| project.name.clone()));
        let naming = if name.is_some() { Naming::AsItIs } else { Naming::Numbered };
        let project = Project {
            id: earlier.map_or_else(Uuid::new_v4, |project| project.id),
            owner: session.owner.clone(),
            // The name that the guide gives: "Autosaved$DATE".
            name: name.unwrap_or_else(|| format!("Autosaved{}", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S"))),
            workspace_bytes: image.workspace.size,
            image: image.id,
            state: State {
                history: session.record.history().iter().map(ToString::to_string).collect(),
                output: session.record.output().to_string(),
            },
            created: 0,
            changed: 0,
        };
        let name = self.store.project_save(&project, naming, &published, &keeping).await?;
        session.record.bind(Some(project.id));
        Ok((Project { name, ..project }, unsaved))
    }

    /// The projects of a user. The one that was saved last comes first.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn project_list(&self, principal: &Principal) -> Result<Vec<Project>, Failure> {
        Ok(self.store.project_list(Some(principal.name())).await?)
    }

    /// Loads one of the principal's projects into a new session. Returns also warnings.
    ///
    /// # Errors
    /// [`Failure`]; no session is left in this case.
    pub async fn project_load(&self, project: Uuid, principal: &Principal) -> Result<(Arc<Session>, Vec<String>), Failure> {
        self.project_load_as(project, principal, None).await
    }

    /// Loads a project into a session with this identity, which it had before; a new one if there is none.
    pub(super) async fn project_load_as(
        &self,
        project: Uuid,
        principal: &Principal,
        id: Option<Uuid>,
    ) -> Result<(Arc<Session>, Vec<String>), Failure> {
        let found = self.store.project(project, principal.name()).await?;
        let project = found.ok_or_else(|| Failure::Unknown(format!("There is no project {project}.")))?;
        let session = self.session_open_as(principal, id).await?;
        let loaded = self.project_load_into(&session, project, login(principal)?).await;
        if loaded.is_err() {
            self.sessions.close(&session);
        }
        Ok((session, loaded?))
    }

    async fn project_load_into(&self, session: &Arc<Session>, project: Project, login: &Login) -> Result<Vec<String>, Failure> {
        let turn = session.turn(Admission::Queued)?;
        // Another session may be saved in the project meanwhile, and nothing names this image then.
        let _keeping = self.store.blobs.keep().await?;
        let warnings = self.image_restore(session, &turn, &project.image).await?;
        for (path, content) in self.store.project_published(project.id).await? {
            let (_, copy) = self.published.create(session.id, &path, login.id)?;
            self.store.blobs.copy_to(&content.hash, copy).await?;
        }
        session.record.adopt(project.id, project.state.history, &project.state.output);
        Ok(warnings)
    }

    /// Gives addresses to the published files of a project, for as long as the login lasts. Returns names and identities.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn project_artifacts(&self, project: Uuid, principal: &Principal) -> Result<Vec<(String, Uuid)>, Failure> {
        let login = login(principal)?;
        let found = self.store.project(project, principal.name()).await?;
        found.ok_or_else(|| Failure::Unknown(format!("There is no project {project}.")))?;
        let known: HashMap<_, _> = self.published.of_session(project).into_iter().collect();
        let mut addresses = Vec::new();
        for (path, content) in self.store.project_published(project).await? {
            if let Some(&id) = known.get(&path).filter(|id| self.published.is_of(**id, login.id)) {
                addresses.push((path, id));
                continue;
            }
            let (id, copy) = self.published.create(project, &path, login.id)?;
            self.store.blobs.copy_to(&content.hash, copy).await?;
            addresses.push((path, id));
        }
        Ok(addresses)
    }

    /// Removes a project. Sessions that were saved in it go on without a project.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn project_remove(&self, project: Uuid, principal: &Principal) -> Result<(), Failure> {
        self.store.project_remove(project, Some(principal.name())).await?;
        self.sessions
            .list()
            .iter()
            .filter(|session| session.record.project() == Some(project))
            .for_each(|session| session.record.bind(None));
        Ok(())
    }
}
