//! moto's server on this machine: an independent reading of AWS KMS. With `must_sign` it checks the signature of every
//! request by AWS's own library. Ends with the value.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const REGION: &str = "eu-central-1";

pub struct Moto {
    process: Child,
    port: u16,
}

impl Moto {
    /// `None` where it is not installed.
    pub fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let spawned = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut process) = spawned else {
            eprintln!(
                "skipped: `moto_server` is not installed (PyPI moto[server]), so that nothing answers as AWS KMS"
            );
            return None;
        };
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap_or_default().contains("Running on")), "moto ended");
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, port })
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn post(&self, runtime: &Runtime, path: &str, headers: &[(&str, &str)], body: String) -> (u16, String) {
        let mut request = reqwest::Client::new().post(format!("{}{path}", self.address())).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    /// One operation on a key, as an administrator who is not checked.
    pub fn must(&self, runtime: &Runtime, operation: &str, wish: &Value) -> Value {
        let target = format!("TrentService.{operation}");
        let (json, scope) = ("application/x-amz-json-1.1", scope("kms"));
        let headers = [("x-amz-target", target.as_str()), ("authorization", &scope), ("content-type", json)];
        let (status, text) = self.post(runtime, "/", &headers, wish.to_string());
        assert_eq!(status, 200, "{operation}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// An account that may do these things: its access key and its secret.
    pub fn account(&self, runtime: &Runtime, name: &str, actions: &[&str]) -> (String, String) {
        let form = |action: &str, more: &str| {
            let headers =
                [("authorization", scope("iam")), ("content-type", "application/x-www-form-urlencoded".to_owned())];
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = format!("Action={action}&Version=2010-05-08&UserName={name}{more}");
            let (status, text) = self.post(runtime, "/", &headers, body);
            assert_eq!(status, 200, "{action}: {text}");
            text
        };
        form("CreateUser", "");
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let policy = reqwest::Url::parse_with_params("http://x", [("PolicyDocument", policy)]).unwrap();
        form("PutUserPolicy", &format!("&PolicyName=only&{}", policy.query().unwrap()));
        let made = form("CreateAccessKey", "");
        let field = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        (field("AccessKeyId"), field("SecretAccessKey"))
    }

    /// From here on every request must be signed, by an account that may do it.
    pub fn must_sign(&self, runtime: &Runtime) {
        let (status, text) = self.post(runtime, "/moto-api/reset-auth", &[], "0".to_owned());
        assert_eq!(status, 200, "{text}");
    }
}

/// What tells moto service and region.
fn scope(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=nobody/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
