//! Keys of tests. The RSA key is the published example of RFC 7515, appendix A.2; those on curves are new in each test.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

pub(crate) const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
    L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs\
    LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud\
    F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe\
    46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9J\
    YanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuh\
    LhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJ\
    NPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_Yw\
    D66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJ\
    eDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-N\
    KJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi8\
    7w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";

/// A key that signs tokens of one algorithm.
pub(crate) enum Signer {
    Rs256(Box<RsaKeyPair>),
    Ps256(Box<RsaKeyPair>),
    Es256(EcdsaKeyPair),
    Es384(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn rsa() -> Box<RsaKeyPair> {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: decode(N), e: decode("AQAB") },
        d: decode(D),
        p: decode(P),
        q: decode(Q),
        dP: decode(DP),
        dQ: decode(DQ),
        qInv: decode(QI),
    };
    Box::new(RsaKeyPair::from_components(&components).unwrap())
}

impl Signer {
    pub(crate) fn new(algorithm: &str) -> Self {
        let random = SystemRandom::new();
        let curve = |kind| {
            let pair = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(kind, pair.as_ref(), &random).unwrap()
        };
        match algorithm {
            "RS256" => Self::Rs256(rsa()),
            "PS256" => Self::Ps256(rsa()),
            "ES256" => Self::Es256(curve(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Self::Es384(curve(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            _ => {
                let pair = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::EdDsa(Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap())
            }
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256(_) => "RS256",
            Self::Ps256(_) => "PS256",
            Self::Es256(_) => "ES256",
            Self::Es384(_) => "ES384",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// The entry of a key set.
    pub(crate) fn public(&self, id: &str) -> Value {
        let point = |pair: &EcdsaKeyPair, curve: &str| {
            let bytes = &pair.public_key().as_ref()[1..];
            let (x, y) = bytes.split_at(bytes.len() / 2);
            json!({"kty": "EC", "kid": id, "use": "sig", "crv": curve, "x": encode(x), "y": encode(y)})
        };
        match self {
            Self::Rs256(_) | Self::Ps256(_) => json!({"kty": "RSA", "kid": id, "n": N, "e": "AQAB"}),
            Self::Es256(pair) => point(pair, "P-256"),
            Self::Es384(pair) => point(pair, "P-384"),
            Self::EdDsa(pair) => {
                json!({"kty": "OKP", "kid": id, "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    pub(crate) fn set(&self, id: &str) -> String {
        json!({"keys": [self.public(id)]}).to_string()
    }

    /// A token with its usual header.
    pub(crate) fn token(&self, id: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "kid": id, "typ": "JWT"}).to_string(), &claims.to_string())
    }

    /// A token with any header and claims.
    pub(crate) fn token_with(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let random = SystemRandom::new();
        let bytes = message.as_bytes();
        let signature = match self {
            Self::Rs256(pair) | Self::Ps256(pair) => {
                let padding: &dyn ring::signature::RsaEncoding =
                    if matches!(self, Self::Rs256(_)) { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, bytes, &mut signature).unwrap();
                signature
            }
            Self::Es256(pair) | Self::Es384(pair) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", encode(signature))
    }
}
