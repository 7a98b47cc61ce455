// Signs and verifies keyless with sigstore-js:
//   keyless.js sign SIGNING-CONFIG TOKEN-FILE BUNDLE ARTIFACT [PAYLOAD-TYPE]
//   keyless.js verify TRUSTED-ROOT BUNDLE ARTIFACT EMAIL ISSUER
// With a payload type the artifact goes into a DSSE envelope. The packages are those beside the
// folder that NODE_PATH names.
const fs = require("node:fs");
const { bundleFromJSON, bundleToJSON } = require("@sigstore/bundle");
const { SigningConfig, TrustedRoot } = require("@sigstore/protobuf-specs");
const { bundleBuilderFromSigningConfig } = require("@sigstore/sign");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const json = (path) => JSON.parse(fs.readFileSync(path));

async function sign(config, token, bundle, artifact, type) {
  const services = json(config);
  // It insists on a timestamp authority wherever there is a selector of one.
  if (!services.tsaUrls?.length) delete services.tsaConfig;
  const builder = bundleBuilderFromSigningConfig({
    signingConfig: SigningConfig.fromJSON(services),
    identityProvider: { getToken: async () => fs.readFileSync(token, "utf8").trim() },
    bundleType: type ? "dsseEnvelope" : "messageSignature",
  });
  const made = await builder.create({ data: fs.readFileSync(artifact), type });
  fs.writeFileSync(bundle, JSON.stringify(bundleToJSON(made)));
  console.log("signed by sigstore-js");
}

async function verify(root, bundle, artifact, email, issuer) {
  const made = bundleFromJSON(json(bundle));
  // The artifact of an envelope is in it.
  const data = made.content.$case === "messageSignature" ? fs.readFileSync(artifact) : undefined;
  const exactly = (text) => `^${text.replace(/[.\\/+]/g, "\\$&")}$`;
  new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(root)))).verify(toSignedEntity(made, data), {
    subjectAlternativeName: exactly(email),
    extensions: { issuer },
  });
  console.log("verified by sigstore-js");
}

const [what, ...rest] = process.argv.slice(2);
({ sign, verify })[what](...rest).catch((error) => {
  console.error(error);
  process.exit(1);
});
