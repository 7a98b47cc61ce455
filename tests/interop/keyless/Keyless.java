import dev.sigstore.AlgorithmRegistry.SigningAlgorithm;
import dev.sigstore.KeylessSigner;
import dev.sigstore.KeylessVerifier;
import dev.sigstore.SigningConfigProvider;
import dev.sigstore.TrustedRootProvider;
import dev.sigstore.VerificationOptions;
import dev.sigstore.VerificationOptions.CertificateMatcher;
import dev.sigstore.bundle.Bundle;
import dev.sigstore.oidc.client.OidcClients;
import dev.sigstore.oidc.client.TokenStringOidcClient;
import dev.sigstore.strings.StringMatcher;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Signs and verifies keyless with sigstore-java:
 *
 * <pre>
 *   Keyless sign TRUSTED-ROOT SIGNING-CONFIG TOKEN-FILE BUNDLE ARTIFACT
 *   Keyless attest TRUSTED-ROOT SIGNING-CONFIG TOKEN-FILE BUNDLE STATEMENT
 *   Keyless verify TRUSTED-ROOT BUNDLE ARTIFACT EMAIL ISSUER
 * </pre>
 *
 * It speaks gRPC over TLS with Fulcio, whatever the scheme in the signing config.
 */
class Keyless {
  public static void main(String[] arguments) throws Exception {
    var root = TrustedRootProvider.from(Path.of(arguments[1]));
    switch (arguments[0]) {
      case "sign", "attest" -> sign(root, arguments);
      case "verify" -> verify(root, arguments);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
    System.exit(0); // what is left of its connections would keep the process for a while
  }

  static void sign(TrustedRootProvider root, String[] arguments) throws Exception {
    var token = TokenStringOidcClient.from(Files.readString(Path.of(arguments[3])).strip());
    try (var signer =
        KeylessSigner.builder()
            .trustedRootProvider(root)
            .signingConfigProvider(SigningConfigProvider.from(Path.of(arguments[2])))
            .enableRekorV2(true)
            .forceCredentialProviders(OidcClients.of(token))
            .signingAlgorithm(SigningAlgorithm.PKIX_ECDSA_P256_SHA_256)
            .build()) {
      var artifact = Path.of(arguments[5]);
      var bundle =
          arguments[0].equals("sign")
              ? signer.signFile(artifact)
              : signer.attest(Files.readString(artifact));
      Files.writeString(Path.of(arguments[4]), bundle.toJson());
    }
    System.out.println("signed by sigstore-java");
  }

  static void verify(TrustedRootProvider root, String[] arguments) throws Exception {
    var signer =
        CertificateMatcher.fulcio()
            .subjectAlternativeName(StringMatcher.string(arguments[4]))
            .issuer(StringMatcher.string(arguments[5]))
            .build();
    KeylessVerifier.builder()
        .trustedRootProvider(root)
        .build()
        .verify(
            Path.of(arguments[3]),
            Bundle.from(Path.of(arguments[2]), StandardCharsets.UTF_8),
            VerificationOptions.builder().addCertificateMatchers(signer).build());
    System.out.println("verified by sigstore-java");
  }
}
