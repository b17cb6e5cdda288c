//! The same tests once more, with the blocks in an object store: a server that speaks S3, in another process' eyes.

use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

/// Where the tests below the one here keep their blocks.
const URL: &str = "CLEW_TEST_BLOCKS_URL";

/// Tests that look at files of the data directory.
const OF_FILES: [&str; 6] = [
    "retention_deletes_the_oldest_blocks_and_their_files_but_not_the_newest",
    "recovery::",
    "formats::",
    "blocks_without_their_catalog_are_not_removed",
    "a_damaged_block_is_named_and_left_out_of_compaction",
    "everything_of_a_tenant_is_deleted_and_nothing_of_others",
];

/// Where the tests of this process are to keep their blocks.
#[expect(clippy::disallowed_methods, reason = "the test before this process says it, and nobody else")]
pub(super) fn url() -> Option<String> {
    std::env::var(URL).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_is_as_good_as_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = serve(directory.path()).await;
    let tests = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--skip", "object_store", "--skip", "log::", "--skip", "block::"])
            .args(OF_FILES.iter().flat_map(|test| ["--skip", test]))
            .env(URL, "s3://blocks/below")
            .env("AWS_ENDPOINT_URL", format!("http://{endpoint}"))
            .env("AWS_ACCESS_KEY_ID", "anyone")
            .env("AWS_SECRET_ACCESS_KEY", "anything")
            .output()
            .unwrap()
    });
    let tests = tests.await.unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&tests.stdout), String::from_utf8_lossy(&tests.stderr));
    assert!(tests.status.success(), "{told}");
    let left = std::fs::read_dir(directory.path().join("blocks/below")).unwrap().count();
    assert!(left > 3, "only {left} stores had blocks there: {told}");
}

/// Serves one empty bucket, as long as the test runs.
#[expect(clippy::disallowed_methods, reason = "the runtime of the test ends it")]
async fn serve(directory: &Path) -> SocketAddr {
    std::fs::create_dir(directory.join("blocks")).unwrap();
    let mut service = S3ServiceBuilder::new(FileSystem::new(directory).unwrap());
    service.set_auth(SimpleAuth::from_single("anyone", "anything"));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let server =
                    hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                drop(server.serve_connection(hyper_util::rt::TokioIo::new(socket), service).await);
            });
        }
    });
    address
}
