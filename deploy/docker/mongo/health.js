// Makes the one member a replica set at its first start, and a user for each service; then asks whether it takes writes. It is run every ten seconds,
// and each run brings users to what the secrets say.
const { readFileSync } = require('fs');
const secret = (name) => readFileSync(`/run/secrets/${name}`, 'utf8').trim();
const admin = db.getSiblingDB('admin');
const asRoot = () => admin.auth('files-manager', secret('mongo_password'));

asRoot();
try {
  rs.status();
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongo:27017' }] });
}
if (!admin.hello().isWritablePrimary) quit(1);

// What the services do, in their one database (FM_MONGODB_DATABASE), and no more: they drop nothing, and see no other database and no user.
const role = 'files-manager-service';
const actions = ['createCollection', 'createIndex', 'find', 'insert', 'remove', 'update'];
const privileges = [{ resource: { db: 'files_manager', collection: '' }, actions }];
const known = admin.getRole(role, { showPrivileges: true });
if (!known) admin.createRole({ role, privileges, roles: [] });
else if ([...(known.privileges[0]?.actions ?? [])].sort().join() !== actions.join())
  admin.updateRole(role, { privileges, roles: [] });

const users = { 'auth-service': 'auth', 'file-service': 'files', 'worker-service': 'jobs' };
for (const [user, part] of Object.entries(users)) {
  const pwd = secret(`mongo_password_${part}`);
  if (!admin.getUser(user)) {
    admin.createUser({ user, pwd, roles: [{ role, db: 'admin' }] });
    continue;
  }
  try {
    admin.auth(user, pwd);
  } catch (error) {
    if (error.codeName !== 'AuthenticationFailed') throw error;
    asRoot();
    admin.changeUserPassword(user, pwd);
  }
  asRoot();
}
