# What `agent rotate` needs for contract.json in the profile prod, and no more. `agent rotate --due --dry-run` looks
# whether it is had. The application needs `read` of the first four paths alone: never of what ends in .pending.

# The values: read, and single fields changed; and what is noted of each, when and by whom.
path "secret/data/acme/prod/app" { capabilities = ["read", "patch"] }
path "secret/metadata/acme/prod/app" { capabilities = ["read", "patch"] }
path "secret/data/acme/prod/db" { capabilities = ["read", "patch"] }
path "secret/metadata/acme/prod/db" { capabilities = ["read", "patch"] }
path "secret/data/acme/prod/neon" { capabilities = ["read", "patch"] }
path "secret/metadata/acme/prod/neon" { capabilities = ["read", "patch"] }
path "secret/data/acme/prod/redis" { capabilities = ["read", "patch"] }
path "secret/metadata/acme/prod/redis" { capabilities = ["read", "patch"] }

# Records of open rotations, which are secrets, and receipts, which have none.
path "secret/data/acme/prod/app.pending/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/app.pending/*" { capabilities = ["read", "delete"] }
path "secret/data/acme/prod/app.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/app.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/data/acme/prod/db.pending/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/db.pending/*" { capabilities = ["read", "delete"] }
path "secret/data/acme/prod/db.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/db.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/data/acme/prod/neon.pending/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/neon.pending/*" { capabilities = ["read", "delete"] }
path "secret/data/acme/prod/neon.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/neon.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/data/acme/prod/redis.pending/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/redis.pending/*" { capabilities = ["read", "delete"] }
path "secret/data/acme/prod/redis.receipts/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/redis.receipts/*" { capabilities = ["create", "read", "update"] }

# The same of what the engine has, which lies in no path of KV.
path "secret/data/acme/prod/.agent/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/prod/.agent/*" { capabilities = ["create", "read", "update", "patch", "delete"] }

# The database engine.
path "database/config/acme" { capabilities = ["read"] }
path "database/rotate-root/acme" { capabilities = ["update"] }
path "database/roles/+" { capabilities = ["read"] }
path "database/creds/+" { capabilities = ["read"] } # any role of the connection proves that its root works
path "database/static-creds/reports" { capabilities = ["read"] }
path "database/rotate-role/reports" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }

# CI's token: another one like it, and the former's end.
path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }
path "auth/token/lookup" { capabilities = ["update"] } # that it has ended
path "auth/token/revoke" { capabilities = ["update"] }
