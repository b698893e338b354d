// The objects of docs/formats/records.md and analysis.md, as far as the pages use them.
export interface List<T> { items: T[]; next: string | null; total: number }
export interface State { setup_needed: boolean; version: string; clinic_name: string | null }
export interface User { id: string; version: number; name: string; display_name: string; role: string; active: boolean; totp: boolean; created_at: string; last_sign_in_at: string | null }
export interface Session { user: User; permissions: string[]; csrf: string; expires_at: string }
export interface Episode { id: string; version: number; condition: string; side: string | null; onset: string | null; surgery: string | null; surgery_date: string | null; goals: string | null; open: boolean }
export interface Patient { id: string; version: number; pseudonym: string; name: string | null; birth_year: number | null; sex: string | null; note: string | null; created_at: string; study_count: number; last_image_date: string | null; episodes?: Episode[] }
export interface StudySummary { id: string; version: number; status: string; patient: { id: string; pseudonym: string; name: string | null } | null; episode_id: string | null; modality: string | null; body_part: string | null; image_date: string | null; received_at: string; image_count: number; first_image_id: string | null; headline: string | null; reviewed: number; to_review: number; signed_by: string | null; signed_at: string | null }
export interface Job { id: string; state: string; text: string | null }
export interface Review { region: number; finding: string; decision: string; value: number | null; software_value: number | null; reason: string | null; user_name: string; created_at: string }
export interface Box { x_px: number; y_px: number; width_px: number; height_px: number }
export interface Note { level: string; code: string; text: string }
export interface Grading { grade: number; probabilities: number[]; expected_grade: number | null; prediction_set: { low: number; high: number; coverage: number } | null }
export interface Measure { value: number | null; unit: string; error_95: number | null; error_source: string | null; source: string | null }
export interface Finding { key: string; label: string; code: { system: string; code: string; display: string } | null; probability: number | null; grading: Grading | null; measure: Measure | null; region: Box | null; evidence: string | null; research_only: boolean }
export interface Region { accepted: boolean; side: string; side_source: string | null; box: Box; certainty: number | null; notes: Note[]; findings: Finding[]; landmarks_px: [number, number][]; joint_space_profile: { unit: string; x_ratio: number[]; width: (number | null)[] } | null; explanation: { box: Box; angle_deg: number; width_px: number; height_px: number } | null }
export interface Analysis { task: string; model: { name: string; version: string; hash: string | null }; image: { width_px: number; height_px: number; spacing: { x_mm: number | null; y_mm: number | null; source: string }; was_inverted: boolean }; accepted: boolean; notes: Note[]; regions: Region[]; analysis_ms: number | null }
export interface Result { id: string; created_at: string; model: string; model_version: string; model_hash: string | null; input_digest: string; software: string; accepted: boolean; headline: string | null; analysis: Analysis; pictures: string[]; reviews: Review[] }
export interface StudyImage { id: string; study_id: string; digest: string; width_px: number; height_px: number; frame_count: number; modality: string | null; body_part: string | null; view_position: string | null; side: string | null; image_date: string | null; wrapped: boolean; spacing: { x_mm: number | null; y_mm: number | null; source: string | null }; display: { slope: number | null; intercept: number | null; window_center: number | null; window_width: number | null } | null; job: Job | null; result: Result | null }
export interface Signature { id: string; user_name: string; role: string; signed_at: string; comment: string | null; content_hash: string; withdrawn_at: string | null; withdrawn_by: string | null; withdrawn_reason: string | null }
export interface Study extends StudySummary { images: StudyImage[]; signature: Signature | null; signatures: Signature[] }
export interface Measurement { key: string; label: string; side: string | null; value: number | null; unit: string; error_95: number | null; date: string; study_id: string; region: number; origin: string; software_value: number | null; decision: string | null; signed: boolean }
export interface Score { id: string; instrument: string; value: number; unit: string | null; side: string | null; date: string; note: string | null; user_name: string; withdrawn_reason: string | null }
export interface Series { measurements: Measurement[]; scores: Score[] }
export interface UploadAnswer { items: { name: string; outcome: string; study_id: string | null; image_id: string | null; job_id: string | null; error: { code: string; text: string } | null }[] }
export interface Change { no: number; kind: string; study_id: string | null; image_id: string | null; job_id: string | null; state: string | null; text: string | null }
export interface AuditEvent { no: number; at: string; user_name: string | null; role: string; action: string; entity: string | null; entity_id: string | null; detail: unknown; hash: string }
export interface Plan { id: string; version: number; content: unknown; reason: string | null; user_name: string; created_at: string; versions?: { version: number; user_name: string; created_at: string; reason: string | null }[] }
export interface Prediction { id: string; outcome: string; content: unknown; model: string | null; user_name: string; created_at: string }
