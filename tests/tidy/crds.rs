//! `crds/` holds what the types say. `make crds` writes it anew.

use jobwright_api::crd;
use std::{collections::BTreeSet, env, fs, path::PathBuf};

const HEADER: &str = "# Generated from src/api by `make crds`. Do not edit.\n";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crds")
}

#[test]
fn crds_are_generated_from_the_types() {
    let mut names = BTreeSet::new();
    for definition in crd::all() {
        let spec = &definition.spec;
        let name = format!("{}_{}.yaml", spec.group, spec.names.plural);
        let manifest = crd::manifest(&definition).unwrap();
        let text = format!("{HEADER}{}", serde_saphyr::to_string(&manifest).unwrap());
        let path = folder().join(&name);
        if env::var_os("UPDATE_CRDS").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "crds/{name} is not what the types say: run `make crds`");
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, manifest, "crds/{name} reads back as something else");
        names.insert(name);
    }
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(files, names, "crds/ holds only what is generated");
}
