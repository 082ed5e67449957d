//! What `kind:` knows: the extensions that belong to each category.
//!
//! Lists are folded and sorted. An extension belongs to the category in which people look for it, at
//! most to one.

use super::ast::Category;

impl Category {
    /// Every category, in the order in which messages list them.
    pub const ALL: [Category; 6] = [
        Category::Image,
        Category::Video,
        Category::Audio,
        Category::Document,
        Category::Archive,
        Category::Code,
    ];

    /// The word of the query language.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Image => "image",
            Category::Video => "video",
            Category::Audio => "audio",
            Category::Document => "document",
            Category::Archive => "archive",
            Category::Code => "code",
        }
    }

    /// Reverse of [`Category::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == word)
    }
}

/// Extensions of a category: folded, sorted, without dots.
pub fn category_extensions(category: Category) -> &'static [&'static str] {
    match category {
        Category::Image => IMAGE,
        Category::Video => VIDEO,
        Category::Audio => AUDIO,
        Category::Document => DOCUMENT,
        Category::Archive => ARCHIVE,
        Category::Code => CODE,
    }
}

#[rustfmt::skip]
const IMAGE: &[&str] = &[
    "ai", "apng", "arw", "avif", "bmp", "cr2", "cr3", "cur", "dds", "dib", "dng", "emf", "eps", "exr", "gif", "hdr",
    "heic", "heif", "icns", "ico", "jfif", "jp2", "jpe", "jpeg", "jpg", "jxl", "kra", "nef", "orf", "pbm", "pcx",
    "pgm", "png", "pnm", "ppm", "psd", "raf", "raw", "rw2", "svg", "svgz", "tga", "tif", "tiff", "webp", "wmf", "xbm",
    "xcf", "xpm",
];

#[rustfmt::skip]
const VIDEO: &[&str] = &[
    "3g2", "3gp", "asf", "avi", "divx", "f4v", "flv", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg",
    "mts", "mxf", "ogm", "ogv", "qt", "rm", "rmvb", "vob", "webm", "wmv", "y4m",
];

#[rustfmt::skip]
const AUDIO: &[&str] = &[
    "aac", "ac3", "aif", "aiff", "alac", "amr", "ape", "au", "caf", "dsf", "dts", "flac", "it", "m3u", "m3u8", "m4a",
    "m4b", "mid", "midi", "mka", "mod", "mp2", "mp3", "mpc", "oga", "ogg", "opus", "pls", "ra", "s3m", "snd", "spx",
    "tta", "voc", "wav", "wma", "wv", "xm",
];

#[rustfmt::skip]
const DOCUMENT: &[&str] = &[
    "abw", "adoc", "azw", "azw3", "chm", "csv", "djv", "djvu", "doc", "docm", "docx", "dot", "dotx", "epub", "fb2",
    "fodp", "fods", "fodt", "ics", "key", "markdown", "md", "mobi", "msg", "numbers", "odg", "odp", "ods", "odt", "org",
    "otp", "ots", "ott", "oxps", "pages", "pdf", "pot", "potx", "pps", "ppsx", "ppt", "pptm", "pptx", "ps", "rst", "rtf",
    "tex", "tsv", "txt", "vsd", "vsdx", "wpd", "wps", "xls", "xlsb", "xlsm", "xlsx", "xlt", "xltx", "xps",
];

#[rustfmt::skip]
const ARCHIVE: &[&str] = &[
    "7z", "ace", "apk", "appimage", "ar", "arj", "br", "bz2", "bz3", "cab", "cpio", "crate", "deb", "dmg", "ear", "flatpak",
    "gz", "img", "iso", "jar", "lha", "lz", "lz4", "lzh", "lzma", "lzo", "nupkg", "qcow2", "rar", "rpm", "snap", "sqfs",
    "squashfs", "sz", "tar", "taz", "tb2", "tbz", "tbz2", "tgz", "tlz", "txz", "tzst", "vdi", "vhd", "vhdx", "vmdk", "war",
    "whl", "wim", "xar", "xz", "z", "zip", "zipx", "zst",
];

#[rustfmt::skip]
const CODE: &[&str] = &[
    "ada", "adb", "ads", "asm", "astro", "awk", "bash", "bat", "bazel", "bzl", "c", "c++", "cc", "cjs", "clj", "cljc",
    "cljs", "cmake", "cmd", "coffee", "cpp", "cr", "cs", "css", "cu", "cuh", "cxx", "d", "dart", "dockerfile", "el", "elm",
    "erl", "ex", "exs", "f", "f03", "f08", "f90", "f95", "fish", "fs", "fsi", "fsx", "glsl", "go", "gradle", "groovy", "h",
    "h++", "hcl", "hh", "hlsl", "hpp", "hrl", "hs", "htm", "html", "hxx", "inl", "ino", "ipynb", "java", "jl", "js", "json",
    "jsonc", "jsonl", "jsx", "kt", "kts", "less", "lhs", "lisp", "lua", "m4", "mak", "mjs", "mk", "ml", "mli", "mm", "nim",
    "nix", "pas", "php", "pl", "pm", "pony", "pro", "proto", "ps1", "psm1", "pxd", "py", "pyi", "pyx", "r", "rake", "rb",
    "rkt", "rs", "s", "sass", "scala", "scm", "scss", "sh", "sol", "sql", "sv", "svelte", "svh", "swift", "tcl", "tf", "thrift",
    "toml", "ts", "tsx", "v", "vala", "vb", "vhdl", "vim", "vue", "wat", "xml", "xsl", "xslt", "yaml", "yml", "zig",
    "zsh",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::is_folded;
    use std::collections::HashSet;

    #[test]
    fn lists_are_folded_sorted_and_apart() {
        let mut seen = HashSet::new();
        for category in Category::ALL {
            let list = category_extensions(category);
            assert!(list.is_sorted_by(|a, b| a < b), "{category:?}");
            for extension in list {
                assert!(is_folded(extension.as_bytes()) && !extension.contains('.'), "{extension}");
                assert!(seen.insert(*extension), "{extension} is in two categories");
            }
            assert_eq!(Category::from_word(category.as_str()), Some(category));
        }
    }
}
