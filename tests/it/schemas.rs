//! Stores of earlier versions. Today's code opens a database as it was after each migration, with rows in all tables, and finds the same
//! content.

use std::fmt::Write;

use offshoot::store::Store;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, migrate, query_scalar, raw_sql};

/// The rows in the tables of each schema. A new migration needs rows as well: today they are read unchanged, and later through further
/// migrations. The last text is the snapshot of the content.
const ROWS: [(i64, &str, &str); 9] = [
    (1, include_str!("schemas/1.sql"), "schema_1"),
    (2, include_str!("schemas/2.sql"), "schema_2"),
    (3, include_str!("schemas/3.sql"), "schema_3"),
    (4, include_str!("schemas/4.sql"), "schema_4"),
    (5, include_str!("schemas/5.sql"), "schema_5"),
    (6, include_str!("schemas/6.sql"), "schema_6"),
    (7, include_str!("schemas/7.sql"), "schema_7"),
    (8, include_str!("schemas/8.sql"), "schema_8"),
    (9, include_str!("schemas/9.sql"), "schema_9"),
];

/// Makes the database that a version with this schema would have made.
async fn make(file: &std::path::Path, schema: i64, rows: &'static str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    migrate!().run_to(schema, &mut connection).await.unwrap();
    raw_sql(rows).execute(&mut connection).await.unwrap();
    let tables: Vec<String> = query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut connection).await.unwrap();
    for table in tables {
        let count: i64 = query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(&mut connection).await.unwrap();
        assert!(count > 0, "schemas/{schema}.sql has no row of the table {table}");
    }
    connection.close().await.unwrap();
}

/// The whole content of the store, as its callers see it.
async fn all(store: &Store) -> String {
    let mut text = String::new();
    let accounts = store.account_list().await.unwrap();
    for account in &accounts {
        writeln!(text, "{account:#?}").unwrap();
    }
    writeln!(text, "{:#?}", store.personal_token_list(None).await.unwrap()).unwrap();
    writeln!(text, "{:#?}", store.token_pair(&[0xaa]).await.unwrap()).unwrap();
    writeln!(text, "{:#?}", store.boundary_list().await.unwrap()).unwrap();
    writeln!(text, "{:#?}", store.filter_list().await.unwrap()).unwrap();
    writeln!(text, "{:#?}", store.role_list().await.unwrap()).unwrap();
    writeln!(text, "{:#?}", store.policy_list().await.unwrap()).unwrap();
    for script in store.script_list().await.unwrap() {
        writeln!(text, "{script:#?}\n{:#?}", store.script_versions(script.id).await.unwrap()).unwrap();
    }
    writeln!(text, "{:#?}", store.object_list_all().await.unwrap()).unwrap();
    writeln!(text, "{:#?}", store.service_list(None).await.unwrap()).unwrap();
    for account in &accounts {
        for project in store.project_list(Some(&account.name)).await.unwrap() {
            writeln!(text, "{project:#?}\n{:#?}", store.image(&project.image).await.unwrap()).unwrap();
            writeln!(text, "published: {:?}", store.project_published(project.id).await.unwrap()).unwrap();
        }
        writeln!(text, "{:#?}", store.snapshot_list(Some(&account.name)).await.unwrap()).unwrap();
        for batch in store.batch_list(&account.name).await.unwrap() {
            writeln!(text, "{batch:#?}\n{:#?}", store.batch_item_next(batch.id, 0).await.unwrap()).unwrap();
            for (number, _) in store.batch_sizes(batch.id).await.unwrap() {
                let results = store.batch_results(batch.id, number, number).await.unwrap();
                writeln!(text, "{:?}", results.iter().map(|result| String::from_utf8_lossy(result)).collect::<Vec<_>>()).unwrap();
            }
            writeln!(text, "{:#?}", store.batch_files(batch.id, 0).await.unwrap()).unwrap();
        }
        if let Some(left) = store.left_workspace(&account.name).await.unwrap() {
            writeln!(text, "left workspace: {left:?}").unwrap();
        }
        writeln!(text, "suspended: {:?}", store.suspended(&account.name).await.unwrap()).unwrap();
    }
    text
}

#[tokio::test]
async fn stores_of_earlier_schemas_are_opened_and_their_data_are_there() {
    let schemas: Vec<_> = migrate!().iter().map(|migration| migration.version).collect();
    assert_eq!(schemas, ROWS.map(|(schema, ..)| schema), "each migration has rows in tests/it/schemas");
    for (schema, rows, snapshot) in ROWS {
        let data = tempfile::tempdir().unwrap();
        make(&data.path().join("offshoot.db"), schema, rows).await;
        let store = Store::open(data.path()).await.unwrap();
        let seen = all(&store).await;
        // When it is opened again, there is nothing left to migrate.
        store.close().await;
        let store = Store::open(data.path()).await.unwrap();
        assert_eq!(all(&store).await, seen);
        store.close().await;
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(snapshot, seen);
        });
    }
}
