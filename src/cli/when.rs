#[derive(Clone, Copy, Debug)]
pub(super) struct When(i64);
impl When {
    pub(super) fn seconds(self) -> i64 {
        self.0
    }
}
pub(super) fn parse_from(text: &str) -> Result<When, String> {
    text.parse().map(When).map_err(|_| "no time".to_owned())
}
pub(super) fn parse_until(text: &str) -> Result<When, String> {
    parse_from(text)
}
