//! Bringing a folder of a machine into somebody's space.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use e2e::contents::noise;
use e2e::product::{Account, Product, id, send};
use reqwest::Method;
use serde_json::json;

use super::{has_lines, run};
use crate::support::Installation;

fn import(
    installation: &Installation,
    into: &str,
    folder: &Path,
    environment: &[(&str, &str)],
) -> (Option<i32>, String) {
    let arguments =
        ["admin", "import", "--user", "ADA@example.org", "--into", into, folder.to_str().unwrap()];
    run(installation, &arguments, environment)
}

fn replace(installation: &Installation, into: &str, folder: &Path) -> (Option<i32>, String) {
    let folder = folder.to_str().unwrap();
    let arguments = ["admin", "import", "--replace", "--user", "ada@example.org", "--into", into, folder];
    run(installation, &arguments, &[])
}

/// The id of what is at this path.
async fn at(product: &Product, account: &Account, path: &str) -> String {
    let mut at = "root".to_owned();
    for name in path.split('/') {
        let children = product.children(account, &at).await.unwrap();
        at = id(children.iter().find(|child| child["name"] == name).unwrap()).unwrap();
    }
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_brought_in_once_and_goes_on_where_it_was_killed() {
    let installation = Installation::fresh().with("FM_FILES__QUOTA", "2000000");
    let top = tempfile::tempdir().unwrap();
    let tree = top.path().join("tree");
    fs::create_dir_all(tree.join("a/b/empty")).unwrap();
    fs::write(top.path().join("secret"), "secret").unwrap();
    let files = [("1.txt", 10), ("a/2.bin", 100_000), ("a/b/3.bin", 700_000), ("a/b/4.txt", 0)];
    for (path, len) in files {
        fs::write(tree.join(path), noise(len, len as u64)).unwrap();
    }
    let then = UNIX_EPOCH + Duration::from_millis(981_173_106_789);
    File::options().write(true).open(tree.join("a/2.bin")).unwrap().set_modified(then).unwrap();
    // what is not followed or not read, and a name that is not allowed
    symlink(top.path().join("secret"), tree.join("a/link")).unwrap();
    symlink(top.path(), tree.join("up")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    fs::write(tree.join("back\\slash"), "b").unwrap();

    let (status, said) = import(&installation, "/", &tree, &[]);
    assert_eq!(status, Some(73), "{said}");
    assert!(said.contains("holds no installation") && !installation.data().exists(), "{said}");
    let running = installation.start();
    let ada = running.product().register("ada").await.unwrap();
    let (status, said) = import(&installation, "/", &tree, &[]);
    assert_eq!(status, Some(73), "while the product runs: {said}");
    running.stop();
    let (status, said) = import(&installation, "From disk/../x", &tree, &[]);
    assert_eq!(status, Some(64), "{said}");
    let (status, said) = import(&installation, "x", &top.path().join("none"), &[]);
    assert_eq!(status, Some(64), "{said}");

    let (status, said) =
        import(&installation, "From disk/2001", &tree, &[("FM_TEST_CRASH_AT", "upload.after-commit#2")]);
    assert_eq!(status, None, "it was killed: {said}");
    let (status, report) = import(&installation, "From disk/2001", &tree, &[]);
    assert_eq!(status, Some(1), "{report}");
    has_lines(
        &report,
        &[
            "files that were there: 2",
            "files brought in: 3",
            "taken in another form: 1",
            "back\\slash: it is called “back_slash”",
            "not taken: 3",
            "a/link: a symbolic link",
            "up: a symbolic link",
            "pipe: a named pipe",
        ],
    );
    let (_, again) = import(&installation, "From disk/2001", &tree, &[]);
    has_lines(&again, &["files that were there: 5", "folders that were there: 3", "not taken: 3"]);
    assert!(!again.contains("brought in:"), "{again}");

    // another content under a name that is there is its newest version; what has no room is left, and the rest goes on
    fs::write(tree.join("1.txt"), "newer text").unwrap();
    fs::write(tree.join("a/huge"), noise(3_000_000, 9)).unwrap();
    fs::write(tree.join("a/z"), "z").unwrap();
    let (status, report) = import(&installation, "From disk/2001", &tree, &[]);
    assert_eq!(status, Some(1), "{report}");
    has_lines(
        &report,
        &[
            "files that got a newer content: 1",
            "files brought in: 1",
            "a/huge: The space is full",
            "not taken: 4",
        ],
    );

    // what was changed in the product later stays as it is, unless the command is told otherwise: other bytes, and an older content that came back
    let running = installation.start();
    let product = running.product();
    let edited = at(&product, &ada, "From disk/2001/a/b/4.txt").await;
    let put = product.as_user(&ada, Method::PUT, &format!("/api/v1/files/{edited}/content"));
    send(put.body("edited")).await.unwrap().expect(200).unwrap();
    let restored = at(&product, &ada, "From disk/2001/1.txt").await;
    let restore = format!("/api/v1/files/{restored}/versions/1/restore");
    product.post(&ada, &restore, &json!({})).await.unwrap().expect(200).unwrap();
    running.stop();
    let (status, report) = import(&installation, "From disk/2001", &tree, &[]);
    assert_eq!(status, Some(1), "{report}");
    has_lines(
        &report,
        &[
            "files that were there: 4",
            "1.txt: it was changed in the product later",
            "a/b/4.txt: it was changed in the product later",
            "not taken: 6",
        ],
    );
    let (status, report) = replace(&installation, "From disk/2001", &tree);
    assert_eq!(status, Some(1), "{report}");
    has_lines(&report, &["files that got the content from here back: 2", "not taken: 4"]);

    let running = installation.start();
    let product = running.product();
    let mut folder = "root".to_owned();
    for step in ["From disk", "2001"] {
        let children = product.children(&ada, &folder).await.unwrap();
        assert_eq!(children.len(), 1, "{children:?}");
        assert_eq!(children[0]["name"], step);
        folder = id(&children[0]).unwrap();
    }
    let children = product.children(&ada, &folder).await.unwrap();
    let find = |children: &[serde_json::Value], name: &str| {
        children
            .iter()
            .find(|child| child["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {children:?}"))
            .clone()
    };
    assert_eq!(children.len(), 3, "{children:?}");
    let text = find(&children, "1.txt");
    assert_eq!(product.content(&ada, &id(&text).unwrap()).await.unwrap(), "newer text");
    let a = id(&find(&children, "a")).unwrap();
    let in_a = product.children(&ada, &a).await.unwrap();
    let two = find(&in_a, "2.bin");
    assert_eq!(two["contentModifiedAt"], "2001-02-03T04:05:06.789Z", "{two}");
    assert_eq!(product.content(&ada, &id(&two).unwrap()).await.unwrap(), noise(100_000, 100_000));
    let b = id(&find(&in_a, "b")).unwrap();
    let in_b = product.children(&ada, &b).await.unwrap();
    let three = id(&find(&in_b, "3.bin")).unwrap();
    assert_eq!(product.content(&ada, &three).await.unwrap(), noise(700_000, 700_000));
    assert_eq!(find(&in_b, "4.txt")["size"], 0);
    find(&in_b, "empty");
}
