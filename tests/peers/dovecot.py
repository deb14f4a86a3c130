"""A real Dovecot 2.3: IMAP, submission and LMTP on loopback, with PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.peers.ca import Issued
from tests.peers.net import free_port, wait_port
from tests.peers.relay import Relay


class Dovecot:
    """
    One Dovecot with its relay. `users` maps names to passwords; a mailbox exists for whoever gets mail.

    *folder* must be reachable for unprivileged users: Dovecot's login processes change to one. Tokens are checked at
    *introspection_url*, whose answer has ``active`` and, under *username_attribute*, the user; the default refuses
    every token. Plain logins are taken over TLS only, except from 127.0.0.1, for Dovecot trusts its own address; from
    127.0.0.2 its EHLO reply has an AUTH line with nothing on it. Submission is a proxy: what `relay` says to RCPT and
    DATA, it says.
    """

    def __init__(
        self,
        *,
        folder: Path,
        issued: Issued,
        users: Mapping[str, str],
        introspection_url: str = "http://127.0.0.1:9/",
        username_attribute: str = "username",
    ) -> None:
        self.folder = folder
        self.users = dict(users)
        self.relay = Relay()
        self.imap, self.imaps = free_port(), free_port()
        self.submission, self.submissions, self.lmtp = free_port(), free_port(), free_port()
        self._issued = issued
        self._introspection_url = introspection_url
        self._username_attribute = username_attribute
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """Returns why Dovecot cannot run here, or None if it can."""
        if shutil.which("dovecot") is None:
            return "dovecot is not installed (Debian: dovecot-imapd, dovecot-submissiond, dovecot-lmtpd)"
        if os.geteuid() != 0:
            return "its login processes change their user, which needs root"
        version = subprocess.run(
            ["dovecot", "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
        return None if version.startswith("2.3.") else f"2.3 is needed and {version.strip()} installed"

    def start(self) -> None:
        """Starts the relay and Dovecot; returns when every port answers. Raises RuntimeError with the log if not."""
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        owner = pwd.getpwnam("nobody")
        os.chown(self.folder / "mail", owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o755)
        users = "".join(f"{user}:{{PLAIN}}{password}::::::\n" for user, password in self.users.items())
        (self.folder / "users").write_text(users)
        (self.folder / "oauth2.conf").write_text(self._oauth2_conf())
        conf = self.folder / "dovecot.conf"
        conf.write_text(self._dovecot_conf(owner))
        self.relay.start()
        self.relay.lmtp_port = self.lmtp
        self._process = subprocess.Popen(["dovecot", "-F", "-c", conf], stdin=subprocess.DEVNULL)
        try:
            for port in (self.imap, self.imaps, self.submission, self.submissions, self.lmtp):
                wait_port(port)
        except OSError as error:
            self.stop()
            raise RuntimeError(f"dovecot did not start: {self.log()}") from error

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None
        self.relay.stop()

    def log(self) -> str:
        """Returns what Dovecot logged so far."""
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else "(no log)"

    def mail_of(self, user: str) -> list[bytes]:
        """Returns the mails in the inbox of *user*, as delivered (LF line ends, Dovecot's trace headers first)."""
        box = self.folder / "mail" / user
        return [path.read_bytes() for part in ("new", "cur") for path in sorted((box / part).glob("*"))]

    def _oauth2_conf(self) -> str:
        return f"""introspection_mode = post
introspection_url = {self._introspection_url}
client_id = dovecot
client_secret = dovecot-secret
username_attribute = {self._username_attribute}
active_attribute = active
active_value = true
force_introspection = yes
"""

    def _dovecot_conf(self, owner: pwd.struct_passwd) -> str:
        # Penalty and cache are off so that failed logins answer at once and a revoked token fails at once; and what
        # a test stores need not outlive the machine, whose disk others keep busy.
        return f"""base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
instance_name = {self.folder.name}
protocols = imap lmtp submission
listen = 127.0.0.1
hostname = localhost
postmaster_address = postmaster@localhost
ssl = yes
ssl_cert = <{self._issued.certificate}
ssl_key = <{self._issued.key}
disable_plaintext_auth = yes
auth_mechanisms = plain login xoauth2 oauthbearer
auth_verbose = yes
auth_failure_delay = 0
auth_cache_size = 0
first_valid_uid = 1
mail_location = maildir:{self.folder}/mail/%u
mail_max_userip_connections = 100
mail_fsync = never
default_vsz_limit = 512M
submission_relay_host = 127.0.0.1
submission_relay_port = {self.relay.port}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {self.folder}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN {self.folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={self.folder}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {self.submission}
  }}
  inet_listener submissions {{
    port = {self.submissions}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp}
  }}
}}
"""
