//! An ext4 volume in a file, which can lose its power. Needs root, loop devices, mkfs.ext4 and python3.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Forces the volume down when it reads a line: `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`, what xfstests
/// does, so that whatever is not on the disk is gone. Python, because the crate forbids the unsafe code that a raw
/// ioctl needs.
const CUT: &str = "
import fcntl, os, struct, sys
volume = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(volume, 0x8004587D, struct.pack('I', 2))
os.close(volume)
print('cut', flush=True)
";

/// A mounted volume; unmounted and removed when dropped, also by a panic.
pub(crate) struct Volume {
    image: PathBuf,
    mounted_at: PathBuf,
    _home: tempfile::TempDir,
}

impl Volume {
    /// Makes a volume of this size; the error says what this machine lacks.
    pub(crate) fn new(mebibytes: u64) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("not root".to_owned());
        }
        let home = tempfile::tempdir().unwrap();
        let volume = Self {
            image: home.path().join("image"),
            mounted_at: home.path().join("volume"),
            _home: home,
        };
        std::fs::create_dir(&volume.mounted_at).unwrap();
        std::fs::File::create(&volume.image)
            .unwrap()
            .set_len(mebibytes << 20)
            .unwrap();
        run(Command::new("python3").arg("-V"))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&volume.image))?;
        volume.try_mount()?;
        Ok(volume)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mounted_at
    }

    /// Gets ready to cut the power without delay.
    pub(crate) fn arm(&self) -> Cutter {
        let mut python = Command::new("python3");
        python
            .args(["-c", CUT])
            .arg(&self.mounted_at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = python.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Cutter { process, lines }
    }

    /// Mounts again after a cut: the file system replays its journal.
    pub(crate) fn remount(&self) {
        run(Command::new("umount").arg(&self.mounted_at)).unwrap();
        self.try_mount().unwrap();
    }

    fn try_mount(&self) -> Result<(), String> {
        // The loop device goes with the mount.
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.mounted_at))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Not mounted is fine; busy is left to the lazy unmount.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.mounted_at));
    }
}

/// A process with its hand on the switch.
pub(crate) struct Cutter {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Cutter {
    /// Cuts the power; returns when it is off.
    pub(crate) fn cut(mut self) {
        self.process.stdin.take().unwrap().write_all(b"now\n").unwrap();
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert_eq!(line, "cut\n", "the volume refused EXT4_IOC_SHUTDOWN");
        self.process.wait().unwrap();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
