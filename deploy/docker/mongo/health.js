// Makes the one member a replica set at its first start, then asks whether it takes writes.
const password = require('fs').readFileSync('/run/secrets/mongo_password', 'utf8').trim();
const admin = db.getSiblingDB('admin');
admin.auth('files-manager', password);
try {
  rs.status();
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongo:27017' }] });
}
if (!admin.hello().isWritablePrimary) quit(1);
