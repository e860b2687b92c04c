// One first sync, as PouchDB does it: a laptop pushes documents to a server, a fresh laptop pulls them. Prints JSON.
// Usage: node pouch.js server FOLDER            prints its port, serves until its input ends
//        node pouch.js run URL FOLDER NOTES     prints seconds for push and pull of the documents in a file
const fs = require("fs");
const path = require("path");
const PouchDB = require("pouchdb");

async function serve(folder) {
  const express = require("express");
  const app = express();
  const Kept = PouchDB.defaults({ prefix: folder + path.sep });
  app.use("/", require("express-pouchdb")(Kept, { mode: "minimumForPouchDB", inMemoryConfig: true, logPath: path.join(folder, "log.txt") }));
  const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}

async function run(url, folder, notes) {
  const laptop = new PouchDB(path.join(folder, "a"));
  const fresh = new PouchDB(path.join(folder, "b"));
  const documents = JSON.parse(fs.readFileSync(notes, "utf8"));
  const count = documents.length;
  for (let at = 0; at < count; at += 1000) await laptop.bulkDocs(documents.slice(at, at + 1000));
  const options = { batch_size: 500, batches_limit: 10 };
  const busy = process.cpuUsage();
  const started = process.hrtime.bigint();
  const pushed = await laptop.replicate.to(`${url}/case`, options);
  const between = process.hrtime.bigint();
  const pulled = await fresh.replicate.from(`${url}/case`, options);
  const ended = process.hrtime.bigint();
  const { user, system } = process.cpuUsage(busy);
  if (pushed.docs_written !== count || pulled.docs_written !== count) throw new Error("not everything came");
  console.log(JSON.stringify({ push: Number(between - started) / 1e9, pull: Number(ended - between) / 1e9, busy: (user + system) / 1e6 }));
  await laptop.close();
  await fresh.close();
}

const [what, ...given] = process.argv.slice(2);
(what === "server" ? serve(given[0]) : run(given[0], given[1], given[2])).catch((error) => {
  console.error(error);
  process.exit(1);
});
