import { DEPLOYED_PATHS, DEPLOYED_UNITS, DEPLOYED_USERS } from '../fleet/deployed-host.ts';

/** The file that `systemd-sysusers` makes the system users from. */
export const SYSUSERS_FILE = 'meshproof.sysusers';

// Watchdog: 60 s is far beyond any pause of a healthy event loop, also on one busy core.
// Restart: 2 s apart, at most 10 in 5 minutes; then the unit stays failed, where a person will see it.
const SUPERVISION = `Type=notify
NotifyAccess=all
WatchdogSec=60
TimeoutStartSec=60
TimeoutStopSec=10
Restart=always
RestartSec=2`;

/** What no program of ours on a host may do: lines of a unit's `[Service]`. */
export const SANDBOX = `NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
PrivateTmp=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077`;

// A soak must not fill the disk with words: at most 1,000 lines in 30 s, the rest counted by journald.
const LIMITS = `LimitCORE=0
LimitNOFILE=8192
TasksMax=128
LogRateLimitIntervalSec=30
LogRateLimitBurst=1000`;

const command = (role: 'node' | 'runner') =>
  `ExecStart=${DEPLOYED_PATHS.nodeBinary} ${DEPLOYED_PATHS.program}/${role}.js --config ${DEPLOYED_PATHS.config}/${role}.toml`;

const NODE_UNIT = `# Installed by meshproof; "meshproof cleanup" removes it.
[Unit]
Description=meshproof mesh node
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
${SUPERVISION}
User=${DEPLOYED_USERS.node}
Group=${DEPLOYED_USERS.node}
StateDirectory=meshproof-node
StateDirectoryMode=0700
${command('node')}
MemoryMax=1G
${LIMITS}
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
${SANDBOX}

[Install]
WantedBy=multi-user.target
`;

// The credential gives the runner the API token without a right to the node's directory, and ends with the unit.
const RUNNER_UNIT = `# Installed by meshproof; "meshproof cleanup" removes it.
[Unit]
Description=meshproof runner
Wants=${DEPLOYED_UNITS.node}
After=${DEPLOYED_UNITS.node}
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
${SUPERVISION}
User=${DEPLOYED_USERS.runner}
Group=${DEPLOYED_USERS.runner}
StateDirectory=meshproof-runner
StateDirectoryMode=0700
LoadCredential=api-token:${DEPLOYED_PATHS.apiToken}
${command('runner')}
MemoryMax=512M
${LIMITS}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
IPAddressDeny=any
IPAddressAllow=localhost
${SANDBOX}

[Install]
WantedBy=multi-user.target
`;

const SYSUSERS = `u ${DEPLOYED_USERS.node} - "meshproof mesh node" ${DEPLOYED_PATHS.nodeState}
u ${DEPLOYED_USERS.runner} - "meshproof runner" ${DEPLOYED_PATHS.runnerState}
`;

/** What systemd needs to know, as files of the artifact: name under `units/` → text. */
export const UNIT_FILES: Readonly<Record<string, string>> = {
  [DEPLOYED_UNITS.node]: NODE_UNIT,
  [DEPLOYED_UNITS.runner]: RUNNER_UNIT,
  [SYSUSERS_FILE]: SYSUSERS,
};
