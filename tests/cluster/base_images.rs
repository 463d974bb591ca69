//! The images that every node has: `pause`, which holds a pod together, and `busybox`, for steps.

use crate::{
    binaries::cache,
    hold::Hold,
    image::{Image, digest},
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const PAUSE_SOURCE: &str = include_str!("images/pause.c");
/// Counts up when what is put into the images changes.
const EDITION: &str = "1";
const BUSYBOX: &str = "/usr/bin/busybox";

/// Builds the images unless they are there; returns their tars.
pub(crate) async fn ensure() -> Result<Vec<PathBuf>> {
    let busybox = fs::read(BUSYBOX).with_context(|| format!("read {BUSYBOX}"))?;
    let key = digest(format!("{EDITION}{PAUSE_SOURCE}{}", digest(&busybox)).as_bytes());
    let home = cache()?.join(format!("images-{}", key.get(..12).unwrap_or(&key)));
    if !home.is_dir() {
        let hold = Hold::take(
            &home.with_extension("lock"),
            "the build of the images",
            Duration::from_secs(60),
        )
        .await?;
        if !home.is_dir() {
            let partial = home.with_extension("partial");
            fs::remove_dir_all(&partial).ok(); // of a builder that was interrupted
            fs::create_dir_all(&partial)?;
            pause(&partial)?;
            self::busybox()?.write(&partial.join("busybox.tar"))?;
            fs::rename(&partial, &home)?;
        }
        hold.release();
    }
    Ok(["pause.tar", "busybox.tar"].map(|file| home.join(file)).to_vec())
}

fn pause(folder: &Path) -> Result<()> {
    let (source, program) = (folder.join("pause.c"), folder.join("pause"));
    fs::write(&source, PAUSE_SOURCE)?;
    let gcc = Command::new("gcc")
        .args(["-Os", "-static", "-s", "-o"])
        .args([&program, &source])
        .output();
    let gcc = gcc.context("run gcc")?;
    if !gcc.status.success() {
        bail!("gcc: {}", String::from_utf8_lossy(&gcc.stderr).trim());
    }
    Image::new("registry.local/pause:1")
        .entrypoint(&["/pause".to_owned()])
        .file(&program, "pause")?
        .write(&folder.join("pause.tar"))
}

fn busybox() -> Result<Image> {
    let list = Command::new(BUSYBOX).arg("--list").output().context("run busybox")?;
    let image = Image::new("registry.local/busybox:1")
        .entrypoint(&[])
        .environment("PATH=/bin")
        .program(Path::new(BUSYBOX), "bin/busybox")?;
    let names = String::from_utf8(list.stdout)?;
    let applets = names.lines().filter(|name| *name != "busybox");
    Ok(applets.fold(image, |image, name| image.link(&format!("bin/{name}"), "busybox")))
}
