// Every screen: its name, where it is, and what is done there before the picture is taken; `out` without a sign-in, `admin` as an administrator. `act` is
// given the page, whether it is a phone, and the account.
import { account } from './account.mjs';
import { admin } from './admin.mjs';
import { browse } from './browse.mjs';
import { entrance } from './entrance.mjs';
import { faults } from './faults.mjs';
import { links } from './links.mjs';
import { organise } from './organise.mjs';
import { queue } from './queue.mjs';
import { sharing } from './sharing.mjs';
import { upload } from './upload.mjs';
import { viewer } from './viewer.mjs';

export const screens = [
  ...entrance,
  ...account,
  ...admin,
  ...browse,
  ...organise,
  ...queue,
  ...sharing,
  ...links,
  ...viewer,
  ...upload,
  ...faults,
];
