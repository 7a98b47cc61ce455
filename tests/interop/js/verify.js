// Verifies a bundle with a public key: verify.js TRUSTED-ROOT PUBLIC-KEY BUNDLE ARTIFACT
// The packages are those beside the folder that NODE_PATH names.
const crypto = require("node:crypto");
const fs = require("node:fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const [root, key, bundle, artifact] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const publicKey = crypto.createPublicKey(key);
const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(root)), () => ({
  publicKey,
  validFor: () => true,
}));
const entity = toSignedEntity(bundleFromJSON(JSON.parse(bundle)), artifact);
new Verifier(material, { ctlogThreshold: 0 }).verify(entity);
console.log("verified by sigstore-js");
