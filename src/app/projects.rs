//! Sessions saved as projects, and projects loaded into sessions.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::{App, Failure, execution::boundary};
use crate::{
    auth::Login,
    link::{
        command::{Image, LoadImage, SaveImage, Stored, Surroundings},
        messages::folder,
    },
    session::{Admission, Opening, Session},
    store::projects::{Naming, Project, ProjectFile, State},
};

impl App {
    /// Saves a session in its project, or in a new one. Without a name the project keeps its own; a new one is
    /// then called after the time.
    ///
    /// # Errors
    /// [`Failure`]; the project is as it was then.
    pub async fn save_project(&self, session: &Arc<Session>, name: Option<&str>, admission: Admission) -> Result<Project, Failure> {
        let turn = session.turn(admission)?;
        let file = Uuid::new_v4();
        let Image { surroundings, files: paths } = Self::ask(&turn, SaveImage { file }).await?;
        let keeping = self.store.blobs.keep().await?;
        let workspace = self.collect(session, file, &keeping).await?;
        let published: HashMap<_, _> = self.published.of_session(session.id).into_iter().collect();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            // What has gone meanwhile, or is no file of the session's, is not part of it.
            let Ok(content) = self.open_in(session, folder::WORK, &path).await else { continue };
            let blob = self.store.blobs.put(&keeping, tokio::fs::File::from_std(content)).await?;
            let published = published.contains_key(&path);
            files.push(ProjectFile { path, blob, published });
        }
        let earlier = match session.project() {
            Some(id) => self.store.project(id, &session.owner).await?.map(|(project, _)| project),
            None => None,
        };
        let name = name.map(str::to_owned).or_else(|| earlier.as_ref().map(|project| project.name.clone()));
        let naming = if name.is_some() { Naming::AsItIs } else { Naming::Numbered };
        let project = Project {
            id: earlier.map_or_else(Uuid::new_v4, |project| project.id),
            owner: session.owner.clone(),
            // As the guide has it: "Autosaved$DATE".
            name: name.unwrap_or_else(|| format!("Autosaved{}", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S"))),
            workspace,
            state: State {
                history: session.history().iter().map(ToString::to_string).collect(),
                output: session.output().to_string(),
                packages: surroundings.packages,
                folder: surroundings.folder,
            },
            created: 0,
            changed: 0,
        };
        let name = self.store.project_save(&project, naming, &files, &keeping).await?;
        session.bind(Some(project.id));
        Ok(Project { name, ..project })
    }

    /// The projects of a user, those saved last first.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn projects(&self, login: &Login) -> Result<Vec<Project>, Failure> {
        Ok(self.store.project_list(Some(&login.user)).await?)
    }

    /// Loads a project of the caller into a new session; `id` is the identity that it is to have, if it has had
    /// one. Returns warnings as well.
    ///
    /// # Errors
    /// [`Failure`]; there is no session then.
    pub async fn load_project(&self, project: Uuid, login: &Login, id: Option<Uuid>) -> Result<(Arc<Session>, Vec<String>), Failure> {
        let found = self.store.project(project, &login.user).await?;
        let (project, files) = found.ok_or_else(|| Failure::Unknown(format!("There is no project {project}.")))?;
        let boundary = boundary(&self.rules.now(), &login.user, None);
        let opening = Opening { owner: &login.user, login: Some(login.id), id, boundary, ..Opening::default() };
        let session = self.open(opening).await?;
        let loaded = self.load_into(&session, project, files, login).await;
        if loaded.is_err() {
            self.sessions.close(&session);
        }
        Ok((session, loaded?))
    }

    async fn load_into(
        &self,
        session: &Arc<Session>,
        project: Project,
        files: Vec<ProjectFile>,
        login: &Login,
    ) -> Result<Vec<String>, Failure> {
        let turn = session.turn(Admission::Queued)?;
        for file in &files {
            self.place(session, &file.blob.hash, folder::WORK, &file.path).await?;
        }
        let State { history, output, packages, folder } = project.state;
        let workspace = Stored { file: self.bring(session, &project.workspace.hash).await?, name: String::new() };
        let warnings = Self::ask(&turn, LoadImage { workspace, surroundings: Surroundings { folder, packages } }).await?;
        session.resume(project.id, history, &output);
        for file in files.into_iter().filter(|file| file.published) {
            let (_, copy) = self.published.create(session.id, &file.path, login.id)?;
            self.store.blobs.copy_to(&file.blob.hash, copy).await?;
        }
        Ok(warnings)
    }

    /// Gives the published files of a project addresses, for as long as the login lasts: names and identities.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn project_artifacts(&self, project: Uuid, login: &Login) -> Result<Vec<(String, Uuid)>, Failure> {
        let found = self.store.project(project, &login.user).await?;
        let (_, files) = found.ok_or_else(|| Failure::Unknown(format!("There is no project {project}.")))?;
        let known: HashMap<_, _> = self.published.of_session(project).into_iter().collect();
        let mut addresses = Vec::new();
        for file in files.into_iter().filter(|file| file.published) {
            if let Some(&id) = known.get(&file.path).filter(|id| self.published.is_of(**id, login.id)) {
                addresses.push((file.path, id));
                continue;
            }
            let (id, copy) = self.published.create(project, &file.path, login.id)?;
            self.store.blobs.copy_to(&file.blob.hash, copy).await?;
            addresses.push((file.path, id));
        }
        Ok(addresses)
    }

    /// Removes a project; sessions that were saved in it go on, in none.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn remove_project(&self, project: Uuid, login: &Login) -> Result<(), Failure> {
        self.store.project_remove(project, Some(&login.user)).await?;
        self.sessions.list().iter().filter(|session| session.project() == Some(project)).for_each(|session| session.bind(None));
        Ok(())
    }

    /// Closes a session; with autosave, it is saved first.
    ///
    /// # Errors
    /// [`Failure`]; the session is still open then.
    pub async fn close_session(&self, session: &Arc<Session>, login: &Login) -> Result<(), Failure> {
        if login.autosaves() {
            self.save_project(session, None, Admission::Immediate).await?;
        }
        self.sessions.close(session);
        Ok(())
    }

    /// Saves the sessions of a login that ends, if it has autosave, so that they come back with the next.
    pub(super) async fn suspend(&self, login: &Login) {
        if !login.autosaves() {
            return;
        }
        let of_login = self.sessions.list().into_iter().filter(|session| session.login == Some(login.id));
        futures_util::future::join_all(of_login.map(async |session| {
            // What runs would keep the logout waiting for as long as it likes.
            session.interrupt();
            let saved = async {
                let project = self.save_project(&session, None, Admission::Queued).await?;
                // From then on it may come back under the same identity.
                self.sessions.close(&session);
                self.store.suspend(session.id, &session.owner, project.id).await?;
                Ok::<_, Failure>(())
            };
            if let Err(error) = saved.await {
                tracing::error!(session.id = %session.id, error = &error as &dyn std::error::Error, "a session could not be saved");
            }
        }))
        .await;
    }

    /// Brings the sessions back that were saved when the user's last login ended.
    pub async fn resume(&self, login: &Login) {
        let suspended = match self.store.suspended(&login.user).await {
            Ok(suspended) => suspended,
            Err(error) => return tracing::error!(error = &error as &dyn std::error::Error, "saved sessions could not be read"),
        };
        for (session, project) in suspended {
            if !self.store.resume(session, &login.user).await.unwrap_or(false) {
                continue;
            }
            if let Err(error) = self.load_project(project, login, Some(session)).await {
                tracing::error!(session.id = %session, error = &error as &dyn std::error::Error, "a session could not be brought back");
                // It is tried again with the next login.
                let _ = self.store.suspend(session, &login.user, project).await;
            }
        }
    }
}
